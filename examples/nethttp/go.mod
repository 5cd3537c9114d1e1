module github.com/countersign-auth/countersign/examples/nethttp

go 1.26.0

require github.com/countersign-auth/countersign v0.0.0

require github.com/go-jose/go-jose/v4 v4.1.9 // indirect

replace github.com/countersign-auth/countersign => ../..
