// Verifies a bundle with sigstore's own library and one public key: sigstore.cjs BUNDLE KEY.pem
const { readFileSync } = require("node:fs");
const { createPublicKey } = require("node:crypto");
const { bundleFromJSON } = require("@sigstore/bundle");
const { TrustedRoot } = require("@sigstore/protobuf-specs");
const { Verifier, toSignedEntity, toTrustMaterial } = require("@sigstore/verify");

const [file, key] = process.argv.slice(2);
const bundle = bundleFromJSON(JSON.parse(readFileSync(file)));
const publicKey = createPublicKey(readFileSync(key));
const { hint } = bundle.verificationMaterial.content.publicKey;
const trust = toTrustMaterial(TrustedRoot.fromJSON({}), (asked) => {
  if (asked !== hint) throw new Error(`asked for ${asked}`);
  return { publicKey, validFor: () => true };
});
const options = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 };
const signer = new Verifier(trust, options).verify(toSignedEntity(bundle));
console.log(`verified: ${signer.key.asymmetricKeyType}, ${hint}`);
