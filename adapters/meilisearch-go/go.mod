module waitproof.dev/adapters/meilisearch-go

go 1.21

require (
	github.com/meilisearch/meilisearch-go v0.37.0
	waitproof.dev/kits/go v0.0.0
)

require (
	github.com/andybalholm/brotli v1.1.1 // indirect
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
)

replace waitproof.dev/kits/go => ../kits/go
