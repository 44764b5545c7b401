package certs

import (
	"crypto"
	"crypto/ecdsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// ParseChain reads a node's certificates from PEM, its own first, as Verify wants them; other
// blocks are passed over, so that the key may be in the same file. The error is an ErrChain or,
// where a certificate is at fault, one that Reason names.
func ParseChain(text []byte) (chain [][]byte, err error) {
	blocks, err := pemBlocks(text)
	if err != nil {
		return nil, ErrChain.With(err)
	}
	for _, b := range blocks {
		if b.Type == "CERTIFICATE" {
			chain = append(chain, b.Bytes)
		}
	}
	if len(chain) == 0 {
		return nil, ErrChain.With(errors.New("there is no certificate in it"))
	}
	if _, err := parseChain(chain); err != nil {
		return nil, err
	}
	return chain, nil
}

// ParseKey reads a private key from PEM: PKCS #8, or SEC 1 as OpenSSL writes it (EC PRIVATE KEY,
// SM2 PRIVATE KEY); certificates and parameters beside it are passed over. The error is an
// ErrKeyFile and tells nothing of the key.
func ParseKey(text []byte) (crypto.Signer, error) {
	blocks, err := pemBlocks(text)
	if err != nil {
		return nil, ErrKeyFile.With(err)
	}
	var found crypto.Signer
	for _, b := range blocks {
		if !strings.HasSuffix(b.Type, "PRIVATE KEY") {
			continue
		}
		if found != nil {
			return nil, ErrKeyFile.With(errors.New("there are several in it"))
		}
		if found, err = parseKey(b); err != nil {
			return nil, ErrKeyFile.With(err)
		}
	}
	if found == nil {
		return nil, ErrKeyFile.With(errors.New("there is none in it"))
	}
	return found, nil
}

func parseKey(b *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch {
	case strings.HasPrefix(b.Type, "ENCRYPTED") || b.Headers["DEK-Info"] != "":
		return nil, errors.New("it is encrypted")
	case b.Type == "PRIVATE KEY":
		key, err = smx509.ParsePKCS8PrivateKey(b.Bytes)
	case b.Type == "EC PRIVATE KEY", b.Type == "SM2 PRIVATE KEY":
		key, err = smx509.ParseECPrivateKey(b.Bytes)
	default:
		return nil, fmt.Errorf("%q is of a kind that is not taken", printable(b.Type))
	}
	if err != nil {
		return nil, errors.New("it is damaged, or of a kind that is not taken") // the cause may quote it
	}
	if ec, ok := key.(*ecdsa.PrivateKey); ok && algorithmOf(ec.Public()) == SM2 {
		key, err = new(sm2.PrivateKey).FromECPrivateKey(ec)
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok || algorithmOf(signer.Public()) == "" {
		return nil, errors.New("it is of a kind that is not taken")
	}
	return signer, nil
}

// Sign proves the possession of a key to whoever calls CheckProof: a signature over msg by
// Ed25519, by ECDSA (ASN.1, over SHA-256 on P-256, SHA-384 on P-384) or by SM2 (ASN.1, with SM3 and
// the default identity). random is read by SM2 alone: Go's own algorithms take the system's.
func Sign(random io.Reader, key crypto.Signer, msg []byte) ([]byte, error) {
	switch a := algorithmOf(key.Public()); a {
	case Ed25519:
		return key.Sign(random, msg, crypto.Hash(0))
	case P256, P384:
		digest, hash := digestFor(a, msg)
		return key.Sign(random, digest, hash)
	case SM2:
		return key.Sign(random, msg, sm2.NewSM2SignerOption(true, nil))
	default:
		return nil, ErrKeyFile
	}
}
