package event

import (
	"fmt"
	"testing"
)

func BenchmarkDecodeVerify(b *testing.B) {
	for _, n := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			payload := sealed(b, texts(n, 256)).Payload()
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			for b.Loop() {
				batch, err := Decode(payload)
				if err != nil {
					b.Fatal(err)
				}
				if err := batch.Verify(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	payload := sealed(b, texts(256, 256)).Payload()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(payload); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	for _, n := range []int{1, 16, 256} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			drafts := texts(n, 256)
			b.ReportAllocs()
			for b.Loop() {
				sealed(b, drafts)
			}
		})
	}
}

func BenchmarkSingle(b *testing.B) {
	batch := sealed(b, texts(256, 256))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := batch.Single(100); err != nil {
			b.Fatal(err)
		}
	}
}
