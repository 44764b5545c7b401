package budget

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestDebtsArePaidOffByTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New[string](10, 20)
		b.Charge("bad", 20)
		if b.Solvent("bad") || !b.Solvent("good") {
			t.Error("charged the wrong one")
		}
		b.Charge("bad", 1000) // more than a bucket is a bucket
		time.Sleep(2 * time.Second)
		if b.Solvent("bad") {
			t.Error("solvent while in debt")
		}
		time.Sleep(200 * time.Millisecond)
		if !b.Solvent("bad") {
			t.Error("in debt for ever")
		}
	})
}

func TestTakingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := New[string](10, 20)
		if !b.Take("a", 20) || b.Take("a", 1) {
			t.Error("not bounded")
		}
		began := time.Now()
		if err := b.Wait(t.Context(), "a", 10); err != nil || time.Since(began) != time.Second {
			t.Errorf("waited %v, %v", time.Since(began), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if b.Wait(ctx, "a", 20) == nil {
			t.Error("two seconds' worth in one")
		}
	})
}

func TestKeysAreBounded(t *testing.T) {
	b := New[int](1, 1)
	for i := range maxKeys + 10 {
		b.Charge(i, 1)
	}
	if b.buckets.Len() > maxKeys || !b.Solvent(0) || b.Solvent(maxKeys) {
		t.Errorf("%d keys", b.buckets.Len())
	}
}
