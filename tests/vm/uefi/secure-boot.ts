// Keys for Secure Boot, and images that are signed with them.
import { mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Lab } from "../lab.ts";
import { attempt, sh } from "../shell.ts";

const GUID = "6f7c1a4e-5a50-4f6f-9f1c-2f3f5f2d7a11";
const KEYS_IN_IMAGE = "usr/lib/bootc/install/secureboot-keys/auto";

/** What starts before the kernel has taken over, and the kernel. */
const SIGNED = [
  "usr/lib/systemd/boot/efi/systemd-bootx64.efi*",
  "usr/share/refind/refind/drivers_x64/ext4_x64.efi",
  "usr/lib/modules/*/vmlinuz",
];

/** Why images cannot be signed here; undefined when they can. */
export async function missingForSigning(): Promise<string | undefined> {
  const programs = ["sbsign", "cert-to-efi-sig-list", "sign-efi-sig-list", "openssl"];
  const found = await Promise.all(programs.map((it) => attempt("sh", ["-c", `command -v ${it}`])));
  const missing = programs.filter((_, i) => found[i]?.status !== 0);
  return missing.length > 0 ? `needs ${missing.join(", ")}` : undefined;
}

/** Makes the platform key, the key exchange key and the signature database, each signed by the one before. */
export async function makeKeys(lab: Lab): Promise<string> {
  const dir = join(lab.dir, "keys");
  await mkdir(dir, { recursive: true });
  const script = `set -e
for it in PK KEK db; do
  openssl req -new -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=test-$it/ -keyout $it.key -out $it.crt
  cert-to-efi-sig-list -g ${GUID} $it.crt $it.esl
done
sign-efi-sig-list -g ${GUID} -k PK.key -c PK.crt PK PK.esl PK.auth
sign-efi-sig-list -g ${GUID} -k PK.key -c PK.crt KEK KEK.esl KEK.auth
sign-efi-sig-list -g ${GUID} -k KEK.key -c KEK.crt db db.esl db.auth
`;
  await writeFile(join(dir, "make.sh"), script);
  await sh("sh", ["make.sh"], { cwd: dir });
  return dir;
}

/** Derives `os:TO` from `os:FROM`: with the keys, and with signatures by the database's key. */
export async function pushSigned(
  lab: Lab,
  keys: string,
  { from, to }: { readonly from: string; readonly to: string },
): Promise<void> {
  const image = (tag: string) => `localhost/bootc-test-variant:${basename(lab.dir)}-${tag}`;
  const container = (await sh("buildah", ["from", "--pull=never", image(from)])).trim();
  try {
    const root = (await sh("buildah", ["mount", container])).trim();
    const script = `set -e
mkdir -p ${KEYS_IN_IMAGE}
cp ${keys}/*.auth ${KEYS_IN_IMAGE}
for it in ${SIGNED.join(" ")}; do
  sbsign --key ${keys}/db.key --cert ${keys}/db.crt --output ${keys}/signed $it
  cat ${keys}/signed > $it
done
`;
    await sh("sh", ["-c", script], { cwd: root });
    const label = `org.opencontainers.image.version=${to}`;
    await sh("buildah", ["config", "--label", label, container]);
    await sh("buildah", ["commit", "--quiet", container, image(to)]);
  } finally {
    await sh("buildah", ["rm", container]);
  }
  const target = `docker://${lab.registry.hostName}/os:${to}`;
  await sh("nice", ["buildah", "push", "--quiet", "--tls-verify=false", image(to), target]);
}
