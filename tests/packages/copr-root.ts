// A small Debian root as a stand-in for COPR's chroot: without Node, npm and libatomic until the stand-in for dnf
// installs them. It is made once and kept; each run uses a layer on top.
import { type ExecFileSyncOptions, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join } from "node:path";

const CACHE = process.env.BOOTC_TEST_CACHE ?? "/var/cache/bootc-tests";

/** Debian's equivalents of the packages in the builder's chroot, including `make` and git's transport. */
const BASE = ["git", "make", "rpm", "ca-certificates"];

/** Records the requested packages, and provides only these. */
const DNF = `#!/bin/sh
echo "$*" >> /var/log/dnf-asked
for name in "$@"; do
    if [ -d "/opt/withheld/$name" ]; then cp -a "/opt/withheld/$name/." /; fi
done
`;

/** Why such a root is impossible here; undefined when it is possible. */
export function whyNoCoprRoot(): string | undefined {
  if (process.getuid?.() !== 0) return "it takes root";
  if (existsSync(rootFolder())) return undefined;
  if (!existsSync("/usr/sbin/debootstrap")) return "there is no debootstrap";
  return undefined;
}

/** The folder of the root, which must never be written to. */
export function coprRoot(): string {
  const root = rootFolder();
  if (existsSync(root)) return root;
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(`${root}-`);
  const quiet: ExecFileSyncOptions = { stdio: ["ignore", "ignore", "inherit"] };
  execFileSync("debootstrap", ["--variant=minbase", `--include=${BASE}`, "trixie", work], quiet);
  const fetch = "cd /tmp && apt-get --quiet download libatomic1 && dpkg -x libatomic1*.deb";
  const withheld = join(work, "opt/withheld");
  mkdirSync(join(withheld, "libatomic"), { recursive: true });
  cpSync("/etc/resolv.conf", join(work, "etc/resolv.conf"), { dereference: true });
  execFileSync("chroot", [work, "sh", "-c", `${fetch} /opt/withheld/libatomic`], quiet);
  withholdNode(join(withheld, "nodejs-npm"));
  writeFileSync(join(work, "usr/bin/dnf"), DNF);
  chmodSync(join(work, "usr/bin/dnf"), 0o755);
  chmodSync(work, 0o755);
  renameSync(work, root);
  return root;
}

/** The system's own Node and npm, not the pinned one that runs this test. */
function withholdNode(folder: string): void {
  const path = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((it) => !it.includes("node_modules"));
  const find = (name: string) => path.map((it) => join(it, name)).find((it) => existsSync(it));
  const node = find("node");
  const npm = find("npm");
  if (node === undefined || npm === undefined) throw new Error("the system has no node or no npm");
  mkdirSync(join(folder, "usr/bin"), { recursive: true });
  cpSync(realpathSync(node), join(folder, "usr/bin/node"));
  // npm-cli.js lies two folders below its package.
  const library = dirname(dirname(realpathSync(npm)));
  cpSync(library, join(folder, "usr/lib/node_modules/npm"), { recursive: true });
  const script = '#!/bin/sh\nexec node /usr/lib/node_modules/npm/bin/npm-cli.js "$@"\n';
  writeFileSync(join(folder, "usr/bin/npm"), script);
  chmodSync(join(folder, "usr/bin/npm"), 0o755);
}

function rootFolder(): string {
  const recipe = createHash("sha256")
    .update(readFileSync(import.meta.filename))
    .digest("hex");
  return join(CACHE, `copr-root-${recipe.slice(0, 12)}`);
}
