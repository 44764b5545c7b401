package certs

import (
	"crypto/rand"
	"testing"
)

// What admitting a node costs: its chain, with a CA between, and its proof.
func BenchmarkVerify(b *testing.B) {
	for _, a := range algorithms {
		roots, chain := parsed(b, file(b, string(a)+"-root.pem")), chainFile(b, string(a)+"-chain.pem")
		b.Run(string(a), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := roots.Verify(chain, testPeer, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCheckProof(b *testing.B) {
	for _, a := range algorithms {
		leaf, err := parsed(b, file(b, string(a)+"-root.pem")).Verify(chainFile(b, string(a)+"-chain.pem"), testPeer, noon)
		if err != nil {
			b.Fatal(err)
		}
		key, err := ParseKey(file(b, string(a)+"-chain.key"))
		if err != nil {
			b.Fatal(err)
		}
		msg := make([]byte, 200)
		sig, err := Sign(rand.Reader, key, msg)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(a), func(b *testing.B) {
			for b.Loop() {
				if err := leaf.CheckProof(msg, sig); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
