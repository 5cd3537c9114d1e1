package password

// What the vectors were made of: a passphrase, letters beyond ASCII and beyond
// 16 bits, and, with count, passwords that bcrypt would cut.
const (
	horse   = "correct horse battery staple"
	unicode = "pässwörd ключ 🙂"
)

// Made by PHP 8.2.36 (password_hash with PASSWORD_ARGON2I), Passlib 1.7.4,
// argon2-cffi 21.1.0 and Django 3.2.25 (its Argon2PasswordHasher).
func argon2iVectors() []vector {
	return []vector{
		{"$argon2i$v=19$m=64,t=2,p=1$bm5WTEVGRDJwWGhndzRDNw$KLhs71dRK2Lhx1Whg4fY1hoQutq7/01YLw5wwYIJs/Y", horse, true},
		{"$argon2i$v=19$m=64,t=2,p=1$UE1oUkhwMEtBVFdZZXM1Ng$ARuBFqIiNrLRawRHP1PPrdG087OS4F+er1mj20tjtHc", unicode, true},
		{"$argon2i$v=19$m=64,t=2,p=1$UFU0aWVnN1JZY25zb1lCRQ$egGucm1/e3rIIaIJHjEPJDUKHUmaEP/T3+JCr1K7AEY", count(73), true},
		{"$argon2i$v=19$m=65536,t=4,p=1$d0k3WkNRRGRUMWlJTEJTdg$RfSSJRcuqydBXW8euKcNGTtbaAXYhFeyr0gN5iUCqLY", horse, true},
		{"$argon2i$v=19$m=64,t=2,p=2$ICQkJOT839vbGyMkBABgbA$oZLRexFXC71D5iuftjdd5Q", horse, true},
		{"$argon2i$v=19$m=64,t=2,p=2$3LvXGmMshfBeqxVCiFFKyQ$eNufjltgJoJEREr6HmV6YA", unicode, true},
		{"$argon2i$v=19$m=64,t=2,p=2$710rJaQUYkxpjXFOqZVSSg$Y+cWza+KbWffgyoWO7NSJA", count(300), true},
		{"$argon2i$v=19$m=64,t=1,p=1$Cj0LON7B481GDJqFpR1/YHgcNgw+OkMU$nH96R76/SppJ+NEfnaGNJJiKwcAWmV3AZbEy9xGiOWRjy3slowvQtxBTL9q3Ug9usDGkk+GuXqFmRZdkz8YMig", unicode, true},
		{"argon2$argon2id$v=19$m=64,t=1,p=1$akN4Vk9pNTVOZUpUWlA0ckFIb3hLag$J10UH4dktYlIpIll5MItzw", horse, true},
	}
}

// Made by Passlib 1.7.4. Then Django's: those of "lètmein" are in its test suite
// (auth_tests.test_hashers, of 4.0 and 5.1), the rest was made by hashlib.scrypt
// of Python 3.11.2 as Django 4 calls it, which gave those two as well. Those of
// Werkzeug were made by hashlib.scrypt as Werkzeug 2.3 calls it.
func scryptVectors() []vector {
	return []vector{
		{"$scrypt$ln=4,r=8,p=1$kbI2RohRKoXQulcqpRQCYA$xxJYXjTam9N/+yFaBa2kBYr/+4MxtZgwHtEEvbDITpQ", horse, true},
		{"$scrypt$ln=4,r=8,p=1$i9EaAyCEkJJyTsk5x1jr/Q$Nz9eyMqA2iF+3fDStTv0eq51Qv5Jak1XtAS88mRd5Tg", unicode, true},
		{"$scrypt$ln=4,r=8,p=1$7v3f+x+DcE6p9T4HIGSM0Q$WSueWllhX+OkhZD66EMiKjcnDKbsWabUCuYzT+YGwAc", count(73), true},
		{"$scrypt$ln=3,r=2,p=3$mtN6r5XyHoOwNsb4n3OulZKSUuo$WZRPFXj7CembwM+DFlJN9U99VVuM2BhoHYTXgpqhqbc", horse, true},
		{"$scrypt$ln=14,r=8,p=1$6D0HgND6f8+5t1ZK6b3Xeg$OxHXPtxeFJknUMxhvPBMzvEi7UDO+IqYcZCelB7GJoI", horse, true},

		// Django
		{"scrypt$16384$seasalt$8$1$Qj3+9PPyRjSJIebHnG81TMjsqtaIGxNQG/aEB/NYafTJ7tibgfYz71m0ldQESkXFRkdVCBhhY8mx7rQwite/Pw==", "lètmein", true},
		{"scrypt$16384$seasalt$8$5$ECMIUp+LMxMSK8xB/IVyba+KYGTI7FTnet025q/1f/vBAVnnP3hdYqJuRi+mJn6ji6ze3Fbb7JEFPKGpuEf5vw==", "lètmein", true},
		{"scrypt$16$T9gR4mWq1ZxKc7LpV2nBy8$8$5$FBdxNnvKLejq4tAwBGFMh515eGFq8S4pX6M3oRdiWZCDwbJRskklqm89Wpz7JtsGA07ZCZZ2n46nintJeOypXg==", horse, true},
		{"scrypt$16$aQ3wE5rT7yU9iO1pL2kJ4h$8$5$qSTBeiWpqzG6DQ9EkSYR08F51bMqSlOIXj5BekI2yQFoyM2v02flj28Pi/C8F+vySao5qcUQom1ad9gBxT945A==", unicode, true},

		// Werkzeug
		{"scrypt:16:8:1$k3Xb9QpZ0aLmT7vY$fe5172468a865d610b337a6eded738ad7c35496a03d998cf569ec623ecbe6f30cce8d7531ebc044e71cbda88a0cb41402a30a3e5bdfd3e209f60e9380ddbc3ed", horse, true},
		{"scrypt:16:8:1$Zr5tU8wQ2eXc4VbN$8687cd560f82ca4f9819b7a82f2b35db50286d8613f33c524c2721dfbae13e8a572735e4f95974ad0e03a29db012e7727c8067e932cef9bd5adb113b8b19f4ba", unicode, true},
		{"scrypt:16:8:1$q$61c8d1ba36ce76d309dac007a195c715480057c98ee0f84d3c11a3178c60e95a8310379075169f21def063e06434f34d1743330f7516c07f12d2d66b10bc9b17", count(73), true},
		{"scrypt:32768:8:1$Yp0LkJ7hGf3DsA9z$3727f2e6908bd64818748bfe852a4c881a940a1d009dbc1310cb9ca6f743511f08220ba29551948407a15bdc4e32626d5cab7034dcb6fc9d8884d981efdca5da", horse, true},
	}
}

// Made by Passlib 1.7.4, @phc/pbkdf2 1.1.14 (npm), Django 3.2.25 and Werkzeug
// 2.2.2. Of Keycloak: the credential of "admin" is one that is published to work
// in Keycloak 9.0.5 (dev.to/oskarspakers, "Import PBKDF2 hashed user passwords
// into Keycloak"); the others were made by the JDK 17.0.15 in the way of
// Keycloak's Pbkdf2PasswordHashProvider, which fills a password up to 14
// characters with NUL and takes 64 bytes of output whatever the hash.
func pbkdf2Vectors() []vector {
	return []vector{
		{"$pbkdf2$5$4HzP2fs/p7QWgjDG.N8bgw$c3rPoWtdjBCYMMg6yiyBKRnVKS4", horse, true},
		{"$pbkdf2$5$orTWGqNUaq21NkboPcfYGw$hEIn2pSwrIFBP2m9FvwZwSB/AVs", unicode, true},
		{"$pbkdf2$5$ICSkFCJECGHMWUtprbV2rg$5BJv/werX3gzG8aMJCk7ESYzo1s", count(73), true},
		{"$pbkdf2-sha256$5$V8r5//.fE6K0llIqxVgrxQ$DQng0c/52y8MYWoF1UTDYjCR/x8sMV8AtGVClMRLXNc", horse, true},
		{"$pbkdf2-sha256$5$g1BKCWGslbLWupdyDmHMGQ$/g0xCipGhVW56.3ySmKoSYmQMnYt4dEG8j/zMtnExcU", unicode, true},
		{"$pbkdf2-sha256$5$8D6HMGYMAQAAQChljNHa2w$7eCIOdZrkfASQ.cPUt9s3LOLPodCo3vZFWh3sVKzr1g", count(73), true},
		{"$pbkdf2-sha512$5$LmUspdRai3EuhbAWIkRI6Q$hBrzAYNvI5P.R4j4lR9HBZJ8.hwKGwTsMX/dP7Mb8X36rlokURfQiLFHVAJuhNt1VSJL4rf88JJl0g6nHjAitw", horse, true},
		{"$pbkdf2-sha512$5$QUgJYcxZa43RuhdiLAVACA$EW1Wcb5cIcs02W.tVe/QjHEgZWDzxoqL7kSGxSdLHQ2afkBxvwnjSwLZqpPqhw1K/0QuIvP5FMFm5AnwxYBOvQ", unicode, true},
		{"$pbkdf2-sha512$5$DcF4LwXAGINQKgWAEEIIAQ$395mQnWuS/gbC.AG7mWbH5W8PimPrc/O5PEbAIcLg9XdI3jgk8XYXMSToZp/Lj31wXa0MA1fAmSQjiGJlmPqKg", count(73), true},
		{"$pbkdf2-sha256$29000$lxKC0PpfK6X0Xuu913ovpQ$lG5r05si14SfoUp0xbPfXIQdeRtHzL3/NDDgB.NpyKM", horse, true},
		{"$pbkdf2-sha512$3$AYAQonSOMYawlrKWslZKCeEco7QWwniPkTKG0JqzlnJurTUmRIiRsrZ2TgnBeO.dcy7FGCNEqBUCIATAWOs9Bw$mLJ5tjnZ823ZZR9rQfhZ2XHv8dSc0rJJc.aaYFNk1wZkEqtPcgN9WOg7aCF/BLLoD6rzfD/wq7rqdWGxkPXkJQ", unicode, true},
		{"$pbkdf2$1$Kw$AgXKQrwclactyXSE.M7VUSX9g/I", unicode, true},

		// Keycloak
		{"$pbkdf2-sha256$i=27500,l=32$x/bm4Y3DcuV9eU97ervkPA$1u7BLvfSPxQFpwc5jpGSA+88EGl9pZYKhaZ8YPIu9N4", "admin", true},
		{"$pbkdf2$i=10,l=64$HZfUBhYwxgW3vUUVein8hw$TRhChPeXCdWHHX/Hsx6Uyxml+6zvJde0ItDZY47dYg1FTsEYAMB0Ya1cp/5RnuM3osZiRGMAnlWU+nzRYvB0vg", "admin", true},
		{"$pbkdf2$i=10,l=64$NBKzejRnqgOELdozcTGM4g$r0yMnGIawO8HWvZEWURSbgaxrfHN2iW09ppdzDSOgUHzd1fPc7blJKEndXX0Jg4cF4O5pCiCCyV791V43Tqdfw", unicode, true},
		{"$pbkdf2-sha256$i=10,l=64$wk6Z2TpCMZ8+DrDRDh06qw$gWUFMs3iqkVQr9oUGgzlI105/6fJhFsg0wkn0ic3yl+bgEa5/eXPc210XgzGlIvzKEoSHMc/ysDzJ/2yU/soRQ", "schlüssel", true},
		{"$pbkdf2-sha256$i=10,l=64$PXhDbVMsy79It2SDlGs5QQ$2xqIiXvpMJ6wSVjGVxMaoFubl2AW0F3B1taf6uyqRYibK21vE1V17Ms5z493/tCHyAIRTIFMuVg0Y1mNYlPFKQ", count(300), true},
		{"$pbkdf2-sha512$i=10,l=64$VAQYIrY2ae9haS9wUmZPhg$TIHZKLoz1HM6zg/t4iy7Un8m4NjdeASVYrGWQJiOlcU4ehI6B4UFxbTGZz4m7o0pEKTTkNMCLS5lZoJpnhfHOA", "admin", true},
		{"$pbkdf2-sha512$i=10,l=64$7uF0muP8vnP3TELlKjv1kQ$JNks9gGWz1VaTdcOOZaOpCSwfUxikzg0VtiXn7nYq0MAszcMvuL8H2MvqUF99Ie1/hRTC4PHirQInO7REucwbw", unicode, true},

		// @phc/pbkdf2
		{"$pbkdf2-sha1$i=9$gVJbB6R4iulRAY3h61rzUw$/EA2rHSAdxKgavEWwUfXIGBIAio", unicode, true},
		{"$pbkdf2-sha256$i=9$SjrblbFiD6sVZej9jkQnfA$DHzkq++W+SHVPuoNToRD/eEtoatZZvhFPLOOaSu1pUk", unicode, true},
		{"$pbkdf2-sha512$i=9$eem0Cer4k90w+0tl6nfi3w$R149ikEfA+IsxgJu6Suf9WNq06Pr1LwMlFgkREUj0IIxXxqqi9u0zxZRZPl2xwgin9Cpx1+br1Omp0E6NPIcWA", unicode, true},

		// Django
		{"pbkdf2_sha256$7$nIdWIF7Jqr296nYlZWCZhl$9hnZRTp+vZsWsjQo5CnneJrUJtFyFIL8BYdp55rXN+M=", horse, true},
		{"pbkdf2_sha256$7$Up0psBX8df5Fwww9WJRBzs$9t+jji2aAFM87yXhyXA5lIrTXsb01fIjmsIXa0w9//E=", unicode, true},
		{"pbkdf2_sha256$7$JGAiS2UvhnDQO0CvkwmoGK$uOBipoYa6Nu9ukrMoWtqWty4GgVLkqr5hZuxmxZPSzc=", count(73), true},
		{"pbkdf2_sha1$7$6lvDWx0a0sqB1SkLapCSsY$iJCJAWY7xqxlpmTQjm2OHPiNm6s=", horse, true},
		{"pbkdf2_sha1$7$f6v8oYQ7jDpfgOj2mQ3dO8$QTRtECy5uvgaP+hv4LHF2N5Rz8E=", unicode, true},
		{"pbkdf2_sha1$7$jGdy6vIBznKgHsHHuHDM99$9TTqdC8g37AjpedXTcFntgp417Q=", count(73), true},
		{"pbkdf2_sha256$260000$SWWH58zIQzaKBl9iHB6NOp$tjXMmOhV51sBR11pDgpSuYoSSza3O/eO9oCoY1aRA98=", horse, true},

		// Werkzeug
		{"pbkdf2:sha1:7$BpJ30XX47mDPz9MJ$2550eb043c64698b84b71b110fe2cf7c976368ef", horse, true},
		{"pbkdf2:sha1:7$h3ulDp8vMrH5ihoz$558c5356565e174dc8a096a7c3b1446e877ec2d5", unicode, true},
		{"pbkdf2:sha1:7$ujpKqZGm3lDzvoCq$7ab29c8a5751f20498c8bf1a5cb113bf3ce4c7f9", count(73), true},
		{"pbkdf2:sha256:7$S0GpcnbvFmL4ASLH$dfb2d6c5b40e9e4eb1cde250869635139377e506359f7a919f54c85566530232", horse, true},
		{"pbkdf2:sha256:7$xpcWA8O64GxPzQx1$3feab9edf444083aaf6a7499d15e217b9e1bf25b63a4c0223d31cdebd41e5d97", unicode, true},
		{"pbkdf2:sha256:7$hQoXOWTi1gERycus$aa79f3b3aadbf3d5464c4f58dfb29ef8440834f85eee39acd0a49bfa4f448f83", count(73), true},
		{"pbkdf2:sha512:7$0NrtyLsgSSw2lIH0$a2b2e8a9d785fba3b6bcef0dadba9d8b40910243671e824ea310c6b70d1d1dc16ddfc9306ea250f7ea9a6972783da0eecb017b6f0ae0904c2fa330166518cf29", horse, true},
		{"pbkdf2:sha512:7$fWQKm1FhbJeOCS9n$25f7b9813b861810dffaf5c73159b4fbc0cef941d39c6a3a5e60516340ec895298314973e5ffcdd56c533dabbff13d601cf5652f6618a605db5e0fd12591879e", unicode, true},
		{"pbkdf2:sha512:7$oTNa1bbmo1ZNYpJD$1acdc9324acff1d6397a8ca1ca8b6414de41cc321595e5ea92cf48ca3b5458aff9c9a32d4c400728d09159cd3fd9ba700757a7fb2c7a9c87ea28e639fdcfbdeb", count(73), true},
		{"pbkdf2:sha256:260000$O8iQuypU$396b443f67eb673b19fdb4f5bbdf9adea1a95caa0bf0eb6453d21489311e698e", horse, true},
	}
}

// Made by Django 3.2.25 with bcrypt 3.2.2 (rounds of its hashers set to 4), and
// one by Passlib 1.7.4 (django_bcrypt_sha256); then by PHP 8.2.36 in the way of
// WordPress 6.8's wp_hash_password.
func prehashVectors() []vector {
	return []vector{
		{"bcrypt_sha256$$2b$04$OpWsY07I3A1k/Q1GiBF/bOXdVX9gu/.CH2rM088QI9CZxijC7UIPO", horse, true},
		{"bcrypt_sha256$$2b$04$e0z1619P.b/aXruAcvE9FeY7.FPg9WtTHL.CogECBAkhIvkDNcMXG", unicode, true},
		{"bcrypt_sha256$$2b$04$o.Bt64AJugjbSVTGrlkxW.C1iHAvGt8QeUw2rfWAqrWey3NN0670K", count(72), true},
		{"bcrypt_sha256$$2b$04$bBmNRv/NFegzN/Rc9OoBiu34QHZeK9e/tar1lBJJfhKuvxopux7W2", count(73), true},
		{"bcrypt$$2b$04$6veGYWvfvHlhWvioOlB4lOg1KMVTvSezlflnutj3p3PgPlDJrvFzq", horse, true},
		{"bcrypt$$2b$04$RGrohhD.exfZt6dXjD/BGuumtiiuixO0QLdVK3abSgEu.GAnRxOAq", unicode, true},
		{"bcrypt$$2b$04$v2gYghcY7oP3khxvkp71cOxhIFrapbDKq7/pZs0GgiByX0yhaeeHa", count(72), true},
		{"bcrypt$$2b$04$Cx5Vfjm4kFvgcpWmJgrUFuUTiqvzxzB1hhMDczYskHXTPede.iK3O", count(73), true},
		{"bcrypt$$2b$04$Cx5Vfjm4kFvgcpWmJgrUFuUTiqvzxzB1hhMDczYskHXTPede.iK3O", count(72), true},
		{"bcrypt$$2b$04$Cx5Vfjm4kFvgcpWmJgrUFuUTiqvzxzB1hhMDczYskHXTPede.iK3O", count(71), false},
		{"bcrypt_sha256$$2b$04$bBmNRv/NFegzN/Rc9OoBiu34QHZeK9e/tar1lBJJfhKuvxopux7W2", count(72), false},
		{"bcrypt_sha256$$2b$04$xsG6Fo7x/27sOrymo/oaiOUN/iN5Wgv0n4Wx2WdPyc66AmIaTKfhO", unicode, true},

		// WordPress
		{"$wp$2y$04$ytuu261wNmI88mqnHVqVreoaREpNq5Kg5JfDc0PNUGnGshVwSQkYq", horse, true},
		{"$wp$2y$04$ytuu261wNmI88mqnHVqVreoaREpNq5Kg5JfDc0PNUGnGshVwSQkYq", " " + horse + "\n", true},
		{"$wp$2y$04$bN7j84ATRtLmeDsROjZ8X.tTE/x/cqJIulibne9AsT3WS1LjQGiLm", unicode, true},
		{"$wp$2y$04$n2TLoPg9H9NZVdlPHCrNEOMOQHr4RvrXGENWOpiSPqXsZ3JB9ZnOW", count(73), true},
		{"$wp$2y$04$n2TLoPg9H9NZVdlPHCrNEOMOQHr4RvrXGENWOpiSPqXsZ3JB9ZnOW", count(72), false},
	}
}
