module github.com/countersign-auth/countersign/bench

go 1.26.0

ignore ./express

require (
	github.com/golang-jwt/jwt/v5 v5.3.1
	golang.org/x/crypto v0.58.0
)
