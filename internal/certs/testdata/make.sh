#!/bin/sh
# Makes the files of this folder with OpenSSL 3: certificates, CRLs, keys and signatures that another
# program wrote. They hold for 100 years; run this only to have others, in this folder:
#
#	sh make.sh
#
# A-root.pem     a root of algorithm A, and its CRL, which revokes the certificate of A-revoked.pem
# A-direct.pem   a leaf under the root; A-direct.key its key in PKCS #8
# A-chain.pem    a leaf and its intermediate; A-chain.key its key, EC ones in SEC 1
# A-proof.sig    the signature of A-direct.key over proof.txt
# bad-*.pem      leaves of the p256 root with a key, or a signature, that is not taken
set -eu

peer=12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA
keep=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat >ext.cnf <<END
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[middle]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[leaf]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
subjectAltName = URI:parley:peer:$peer
authorityKeyIdentifier = keyid
[ca]
default_ca = this
[this]
database = index.txt
crlnumber = crlnumber
default_crl_days = 36500
default_md = default
END

# SM2 needs its identity named, or OpenSSL signs with an empty one.
sig() { case $1 in sm2) echo "-sigopt distid:1234567812345678" ;; esac; }
vfy() { case $1 in sm2) echo "-vfyopt distid:1234567812345678" ;; esac; }
md() { case $1 in ed25519) ;; sm2) echo "-sm3" ;; p384) echo "-sha384" ;; *) echo "-sha256" ;; esac; }

key() { # ALGORITHM FILE
	case $1 in
	ed25519) openssl genpkey -algorithm ED25519 -out "$2" ;;
	sm2) openssl genpkey -algorithm SM2 -out "$2" ;;
	rsa) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$2" ;;
	p224) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-224 -out "$2" ;;
	p256) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$2" ;;
	p384) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$2" ;;
	p521) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out "$2" ;;
	secp256k1) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out "$2" ;;
	esac
}

# issue SIGNER_ALGORITHM SIGNER KEY_ALGORITHM NAME EXTENSIONS [DIGEST]
issue() {
	key "$3" "$4.key"
	openssl req -new -key "$4.key" $(md "$3") $(sig "$3") -subj "/O=Parley/CN=$4" -out "$4.csr"
	openssl x509 -req -in "$4.csr" $(vfy "$3") -CA "$2.crt" -CAkey "$2.key" ${6:-$(md "$1")} $(sig "$1") \
		-days 36500 -extfile ext.cnf -extensions "$5" -out "$4.crt" 2>/dev/null
}

printf 'what a node proves the possession of its key with' >"$keep/proof.txt"
for a in ed25519 p256 p384 sm2; do
	key $a $a-root.key
	openssl req -x509 -new -key $a-root.key $(md $a) $(sig $a) -subj "/O=Parley/CN=$a root" -days 36500 \
		-config ext.cnf -extensions root -out $a-root.crt
	issue $a $a-root $a $a-direct leaf
	issue $a $a-root $a $a-middle middle
	issue $a $a-middle $a $a-chain leaf
	issue $a $a-root $a $a-revoked leaf
	: >index.txt
	echo 01 >crlnumber
	openssl ca -config ext.cnf -keyfile $a-root.key -cert $a-root.crt -revoke $a-revoked.crt 2>/dev/null
	openssl ca -config ext.cnf -keyfile $a-root.key -cert $a-root.crt -gencrl $(md $a | sed 's/^-/-md /') $(sig $a) -out $a.crl
	cat $a-root.crt $a.crl >"$keep/$a-root.pem"
	cp $a-direct.crt "$keep/$a-direct.pem"
	cp $a-direct.key "$keep/$a-direct.key"
	cp $a-revoked.crt "$keep/$a-revoked.pem"
	cat $a-chain.crt $a-middle.crt >"$keep/$a-chain.pem"
	case $a in
	ed25519) cp $a-chain.key "$keep/$a-chain.key"
		openssl pkeyutl -sign -rawin -in "$keep/proof.txt" -inkey $a-direct.key -out "$keep/$a-proof.sig" ;;
	sm2) openssl ec -in $a-chain.key -out "$keep/$a-chain.key" 2>/dev/null
		openssl dgst -sm3 -sigopt distid:1234567812345678 -sign $a-direct.key -out "$keep/$a-proof.sig" "$keep/proof.txt" ;;
	*) openssl pkey -in $a-chain.key -traditional -out "$keep/$a-chain.key"
		openssl dgst $(md $a) -sign $a-direct.key -out "$keep/$a-proof.sig" "$keep/proof.txt" ;;
	esac
done
for a in rsa p224 p521 secp256k1; do
	issue p256 p256-root $a bad-$a leaf
	cp bad-$a.crt "$keep/bad-$a.pem"
done
issue p256 p256-root p256 bad-sha1 leaf -sha1
cp bad-sha1.crt "$keep/bad-sha1.pem"
