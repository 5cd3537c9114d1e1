module github.com/countersign-auth/countersign/examples/chi

go 1.26.0

require (
	github.com/countersign-auth/countersign v0.0.0
	github.com/go-chi/chi/v5 v5.5.0
)

require github.com/go-jose/go-jose/v4 v4.1.9 // indirect

replace github.com/countersign-auth/countersign => ../..
