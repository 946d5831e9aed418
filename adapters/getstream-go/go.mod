module waitproof.dev/adapters/getstream-go

go 1.21

require (
	github.com/GetStream/getstream-go/v5 v5.3.0
	waitproof.dev/kits/go v0.0.0
)

require github.com/golang-jwt/jwt/v5 v5.2.1 // indirect

replace waitproof.dev/kits/go => ../kits/go
