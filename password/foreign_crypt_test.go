package password

import "strings"

// The vectors of Drepper's specification, then what was made by OpenSSL 3.0.22
// (openssl passwd, which cuts at 256 bytes), mkpasswd of whois 5.5.17 with
// libxcrypt 4.4.33, htpasswd of Apache 2.4.71 and Passlib 1.7.4.
func cryptVectors() []vector {
	const drepper = "a very much longer text to encrypt.  This one even stretches over morethan one line."
	return []vector{
		{"$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5", "Hello world!", true},
		{"$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA", "Hello world!", true},
		{"$5$rounds=5000$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5", "This is just a test", true},
		{"$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1", drepper, true},
		{"$5$rounds=77777$short$JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/", "we have a short salt string but not a short password", true},
		{"$5$rounds=123456$asaltof16chars..$gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD", "a short string", true},
		{"$5$rounds=1000$roundstoolow$yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC", "the minimum number is still observed", true},
		{"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1", "Hello world!", true},
		{"$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.", "Hello world!", true},
		{"$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0", "This is just a test", true},
		{"$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1", drepper, true},
		{"$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0", "we have a short salt string but not a short password", true},
		{"$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJAstJeonj1", "a short string", true},
		{"$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.", "the minimum number is still observed", true},

		// OpenSSL
		{"$1$N.RZQOxN$OJRLzIbSglAvKg.l8T0Ez/", horse, true},
		{"$1$6edVaBSD$JXMIzT4Dvf2BDmZprO3mc/", unicode, true},
		{"$1$1LR/kiL8$mrrk5fRZP0e7gIuQLy7KN/", count(256), true},
		{"$apr1$IIer6Lk3$j.A/xbmrrJYGhzQPMj5C30", horse, true},
		{"$apr1$EsftWf.4$ux/.iskvNjVsMkJ9I3J1x.", count(73), true},
		{"$apr1$CDsX6mPx$rHC2rPhW7b6uIX2G0tK6M1", count(256), true},
		{"$5$9vPEA/oJRKrggLHg$6Z/TGMaJozvMSDW6lkpw15JFIzEwZH8oCWg56d3dlwC", horse, true},
		{"$5$JaZEDCfYVYxjyz2W$oCEs1sosjZ9B74GWZuxPpMU9.ftJdPf5BRQhNJoPEe7", count(73), true},
		{"$6$onCqkQvqIp2XLgql$/o1Jee4SjyRwNeznzHA7FCNnxHGmgrNlJRRiGOHWrrTj0uE9ZIhL/RFylv1PgsvwBa5Q5eXUQblNikomXKOmB1", unicode, true},
		{"$6$MfrkrKSEZE8oEtQH$brDx5qDrINhguZ.B/AvAnkj09meDQfrNeKSVldZzeDNj/SfN9dcVUln9jP3lw6rk1yzz09AWot.nAt5w5SaNZ0", count(256), true},
		{"$6$MfrkrKSEZE8oEtQH$brDx5qDrINhguZ.B/AvAnkj09meDQfrNeKSVldZzeDNj/SfN9dcVUln9jP3lw6rk1yzz09AWot.nAt5w5SaNZ0", count(300), false},

		// mkpasswd
		{"$5$rounds=1000$GeXtAQgdwRkO4/y2$ipdJXg.yBKmG1X6iFlZyYmDHjfWDXRJcTTzUbJaxVgD", horse, true},
		{"$5$rounds=1000$c1Zynu.bK0Vxm3Ps$suvY3GacPKgUh/TharVLzxd7LA4kQv/DQzgLqXzQzPA", strings.Repeat("é", 250), true},
		{"$6$rounds=1000$v.O5vGihaZvj7/Bz$Uih1KrJmwYkucWwhe34Ea04tfMI.ndM1gOdpQTGboWoIeHXScGDjjiBKv5CDEyQiNYtF2SOy3Zku4zD16tn/3/", unicode, true},
		{"$6$9DWxMNMoLIsO4t8i$rSrJ6LPQ8xY4bzC62uomkFXbvLGfs1lJcPfZPq/Ej/QiHMHHni.UG5E3ulqysEJhP0Y2A.EZv4iCKshQkmrdx.", count(300), true},
		{"$1$dKwu2jnC$6CEwgotDnwsquMWUXjLWP0", count(73), true},
		{"$6$rounds=1000$saltsaltsalt$3B6DQ05PcoVO85CWrCJrzAFD87lO2oz9VgxOIOWHWc25TsbpLa5ivfzPdy9fPP1QHG3EFPOW81XxOICd5Yz37.", strings.Repeat("x", 15), true},
		{"$6$rounds=1000$saltsaltsalt$.ONM1kd8a/kHTLaky/1B2Xm8R03bswWPpiG79Fltdx5JEDaHDmhnpZS/.OxBBNjrD1Ouvt9a1UTGQ9F8krdvV/", strings.Repeat("x", 16), true},
		{"$6$rounds=1000$saltsaltsalt$cBhH7/r9SWnOLk/DwDPb5XXlFNjnX9Mqh5DbkdU6aPKvZomFiotBGa.i0RD.JbVbQXGq4Mk0Aag.wWwc5yusK0", strings.Repeat("x", 63), true},
		{"$6$rounds=1000$saltsaltsalt$xJX46kqMHcZkT1GtCU3jjw9ssrecHZD/ylXEIF9TOlRf1jqAINHFOxkCyP5MB5T8Sz.ZMMD1h./nh/Ue70XdG.", strings.Repeat("x", 64), true},
		{"$6$rounds=1000$saltsaltsalt$MGRs/JXZQPsdAM49YFA5Q1sN5G38YuRev55P9CNk1WQFpk71mkz28e3aGgr/ipCEL3KIp4FXdsOIPsK2jrI5a/", strings.Repeat("x", 65), true},
		{"$6$rounds=1000$saltsaltsalt$z8tB9k48uDyrlTWB0oAAFCC4qVc4J289cYUHdZn9HTa2VT7FfcqQFGM.cZRyaiIFlscDFAncbcFEB46S6sOK20", strings.Repeat("x", 128), true},

		// htpasswd
		{"$apr1$JGURnwqq$8CGllTYOXTeYozUmuuy16/", horse, true},
		{"$apr1$3faxZbbQ$LHjo0QBdBPhWTtOI0HSHz/", unicode, true},
		{"$apr1$oXRp.zAg$r0w.OKEicV/TZdwlGd.VF0", count(73), true},
		{"$6$30.LCo9swG4LXdix$aCTjpECaetF6aiDt.KQm9J.qmW7f9xOTz2WObHDRQWtjLU0s0cfjyPQiQjEVf03q.bn7o19D8NCcveWV48DCl1", unicode, true},

		// Passlib
		{"$5$rounds=1000$R/QiJC5anMxVx4k/$W.ZPdT5.Cv0lE343ZlIxU2mHPlVNd/acx68U1fI0A97", horse, true},
		{"$5$rounds=1000$18dyt8740sOf09Iq$yhm4R/VO3MM23acGPlD4O4MqsVQHep9leOtLS.DEI43", unicode, true},
		{"$5$rounds=1000$08YczorQYjn5E6bo$4PzRnylhUPFMZAgpXVBMnlSZKWoQOb2FOJjHL1fLTx1", count(300), true},
		{"$5$dT5PW5LB7KF/DGP2$fBpbng0akMa7O8QvxG5EDA7jwGOJNJfuxX3hw3HqUp0", unicode, true},
		{"$5$rounds=1000$x$9uvj9lLtS5zt4Btx1PvYhFiGUkrbuD0wi4N7v5OHYx8", count(73), true},
		{"$6$rounds=1000$q1rru8srS9PgthLH$1zupvuKCZ/TtDiPiWS9H3b30QSQwXe9Czm1uu1ovjBg.e70pUNEXnPalq6bgkT39sFj2S3WNKaukF/EXOM.500", horse, true},
		{"$6$rounds=1000$/pMe4hhfHiZdwwX3$zLi2Y7qg0ERROk5HJveMJf8fu/O4qKzZKTw3YMSptA5CzCzfWJBGlB45tspMOpK4IFN/F4Qa6abE1v9dZh8Lm.", unicode, true},
		{"$6$rounds=1000$Ikgh6e/Vy8w0XfQv$o9VBzzZWU2DEZ.HYO13grwy.wWzTpSZYWTAyiVszJyzoHg/UpIOFFXyM4FHv7hab6Z8tuPPyVME5miKLuzrkj1", count(300), true},
		{"$6$8.KI4SXtnAOJ041W$4MVC.hOU2AMJYPq4b23zyeve/qf5Kby7MPqGcfUIOE5ajwreEXvxodvLhasfX.pStyOluw2B2eCwTkrK9W2Z/.", unicode, true},
		{"$6$rounds=1000$9$JSDWTTfDbXp6QHk29f1bdn9VRv1W/SlzN/qkHcEoiTdvjd4IeNtf3zUB5sju0IB3E31oxgINcJRsTZvqsTlmj1", count(73), true},
		{"$1$mTrwQrln$/HJ5VgCQ/yAuykBvpWWq//", horse, true},
		{"$1$crtGSpBT$NFka5djV4yEc7nFtW/XOZ1", unicode, true},
		{"$1$qtzuQrnt$N/tK6C0ypZFdSEgOjzOjn.", count(73), true},
		{"$apr1$jhmuXn8Z$fRJ7Ac74pB88Cc3oQ8YvK0", count(300), true},
	}
}

// Made by class-phpass.php of WordPress 6.1.9 on PHP 8.2.36, and one by Passlib
// 1.7.4.
func phpassVectors() []vector {
	return []vector{
		{"$P$Bseu6Ip/fSr3VnqNDPNgBpNmQUWg9u0", horse, true},
		{"$P$7FZc9282yMu8bvQ0AWtYXWTwQgGlt7/", unicode, true},
		{"$H$7FZc9282yMu8bvQ0AWtYXWTwQgGlt7/", unicode, true},
		{"$P$7rhFDesfR.CpqANHR9PpbMVIJLeRxM.", count(73), true},
		{"$H$7eWwXBdSgoqHhIpgYRVIPGI1YQJjmD.", count(300), true},
		{"$H$5zMA8IIrP/H.zcwmXtiksqCxyevjEC.", unicode, true},
	}
}

// Made by slappasswd of OpenLDAP 2.5.13, for all but {SSHA} with its module
// pw-sha2, and by Passlib 1.7.4 with a longer salt.
func ldapVectors() []vector {
	return []vector{
		{"{SSHA}qiNdtNN2HqkR/U+pQ8WNTdwTueBxbr0Q", horse, true},
		{"{ssha}qiNdtNN2HqkR/U+pQ8WNTdwTueBxbr0Q", horse, true},
		{"{SSHA}bB+7tNX+HbTaV0WkXSN31vATYOSDeqov", unicode, true},
		{"{SSHA}lbeYSx362fa2dp2sv3etLHv3jJm/aKpO", count(73), true},
		{"{SSHA256}Upm4+xXnb644U8xElG+5m5OFU3DlSEnFRKe4aK8GyfCqDXSd7cIBhA==", horse, true},
		{"{SSHA256}5PrrDrx1jrGOrGt4GJ3mxUyZtV1BPLr370orM4VzSCY9b9kPbYTzpQ==", unicode, true},
		{"{SSHA256}8Lj2b28gkBMVLvwbBsv+WHpkyrDi9fezkXtO75UNqCvbm76ZmAZChA==", count(73), true},
		{"{SSHA384}haNU7cnfRhozTKLwtBqMBpBf9FL7DUgdcU3VyPqpxN1WPkMT1DElJa8UWYgfKKMCOxsMhv0b9xE=", horse, true},
		{"{SSHA384}yJuJpst4QW7zUxAx2EGAD2wYblF8CuFE48Ao+ylw9NMzLWoTgNIfmyA/+Ebvs4cbVJcTPB9zbWk=", unicode, true},
		{"{SSHA384}TsLX9k6FD4ND51EJL335gcDn6MyzgqElIO7GEQSJR0yFxAmFtfK5yYlTg7tG33HWNLXxzTda8j0=", count(73), true},
		{"{SSHA512}RX6gbIeFa9zfSQVt32qxtYvY2dc7day7g3fy8ZR8ElWTUhMlAM1H1gJ94bAOtkQ/K7YlowqlRj5dsF/eAApiRz+cegrZuY3F", horse, true},
		{"{SSHA512}gkbr0cioeM/kvYCmBysYige+o60OlUzF4OCzUcZDZcluSXXJOSd6MouVPsA3gE8XaAYSUKRcad6uG2aSv+P3dYo3xwmaVI8r", unicode, true},
		{"{SSHA512}qewLfvq6YARmmBC21f9H1uL/SRD1wleHxs9+t4Br0HyZ9If6m6jiaByANdMMy3fdLcwGprecYmSuC/VALI/1/P8TBkXFZwCy", count(73), true},
		{"{SSHA}0cDuKdsHHKZk2zN04nWcZ9BiatW5t9b6/x/jnPMeI+Q8h1BK", unicode, true},
		{"{SSHA256}iZXOPqsQqrt9tzx8xtm+58U1R2oWiRXl34O4Xt6V+mJR6l2rda6VEmLs/X8vZWzt", unicode, true},
		{"{SSHA512}+CXAAKmu3+20NZqyFppRxmXFe6/SjaMeYJ13U6HcIQw5B7Ro0ZoGj14s6RawOsF0TVrhuCg4KXetZPfyYupfVv+fs9b6H0MIIaS0FqL0Psc=", unicode, true},
	}
}
