module waitproof.dev/kits/go

go 1.21
