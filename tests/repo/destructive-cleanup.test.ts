// The clean-up after an installation over another system, with real rpm on a made-up /sysroot in a separate root.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";

const CHECKOUT = dirname(dirname(import.meta.dirname));
const missing = [
  ...(process.getuid?.() === 0 ? [] : ["root"]),
  ...["rpm", "rpmbuild", "unshare"].filter(
    (it) => spawnSync("sh", ["-c", `command -v ${it}`]).status !== 0,
  ),
];

const OLD_FILES = ["usr/share/old/file", "boot/vmlinuz-old", "boot/loader/entries/ostree-1.conf"];

/** A package that shares files with the new system, and whose scripts leave a trace. */
const SPEC = `Name: old-system
Version: 1
Release: 1
Summary: The system that was installed over
License: MIT
BuildArch: noarch
%description
%{summary}.
%install
${OLD_FILES.map((it) => `install -D /dev/null %{buildroot}/${it}\n`).join("")}
%preun
echo ran > /scripts-ran
%files
%dir /boot
${OLD_FILES.map((it) => `/${it}\n`).join("")}`;

/** A root with the programs of this machine, and \`$1\` as its /sysroot; the script is \`$2\`. */
const ENTER = `set -e
root=$1/root
mkdir -p "$root"
mount -t tmpfs tmpfs "$root"
cd "$root"
mkdir usr proc dev tmp sysroot
for it in bin sbin lib lib64; do
  if [ -h /$it ]; then cp -P /$it .; elif [ -d /$it ]; then mkdir $it; mount --bind /$it $it; fi
done
mount --rbind /usr usr
mount --rbind /dev dev
mount -t proc proc proc
mount --bind "$1/sysroot" sysroot
mount -o remount,bind,ro sysroot
cp "$2" cleanup
chroot . /cleanup >&2
! [ -e scripts-ran ]
`;

describe.skipIf(missing.length > 0)(
  `destructive-cleanup${missing.length > 0 ? `: needs ${missing}` : ""}`,
  () => {
    const dir = mkdtempSync(join(tmpdir(), "bootc-cleanup-"));
    const sysroot = join(dir, "sysroot");
    const stamp = join(sysroot, "etc/bootc-destructive-cleanup");
    const rpm = (...args: readonly string[]) =>
      execFileSync("rpm", [`--root=${sysroot}`, "--dbpath=/usr/lib/sysimage/rpm", ...args], {
        encoding: "utf8",
        stdio: ["ignore", "pipe", "ignore"],
      });
    const cleanUp = () => {
      const script = join(CHECKOUT, "packaging/rootfs/usr/lib/bootc/destructive-cleanup");
      const args = ["--mount", "--propagation=private", "sh", "-c", ENTER, "sh", dir, script];
      return spawnSync("unshare", args, { encoding: "utf8" });
    };

    afterAll(() => rmSync(dir, { recursive: true }));

    function installOld(): void {
      const spec = join(dir, "old.spec");
      writeFileSync(spec, SPEC);
      execFileSync("rpmbuild", ["--quiet", "-bb", "--define", `_topdir ${dir}`, spec]);
      mkdirSync(sysroot, { recursive: true });
      rpm("--install", "--nodeps", join(dir, "RPMS/noarch/old-system-1-1.noarch.rpm"));
    }

    test("packages of the old system are removed once, and /boot of the new one stays", () => {
      installOld();
      for (const it of OLD_FILES) writeFileSync(join(sysroot, it), "of the new system");
      mkdirSync(dirname(stamp), { recursive: true });
      writeFileSync(stamp, "");

      const ran = cleanUp();
      expect([ran.status, ran.stdout]).toEqual([0, ""]);
      expect(rpm("--query", "--all")).toBe("");
      expect(OLD_FILES.map((it) => existsSync(join(sysroot, it)))).toEqual([false, true, true]);
      expect(readFileSync(join(sysroot, "boot/vmlinuz-old"), "utf8")).toBe("of the new system");
      expect(existsSync(stamp)).toBe(false);

      rpm("--install", "--nodeps", join(dir, "RPMS/noarch/old-system-1-1.noarch.rpm"));
      expect(cleanUp().status).toBe(0);
      expect(rpm("--query", "--all")).toBe("old-system-1-1.noarch\n");
    });

    test("a clean-up that fails keeps its stamp, and is tried again", () => {
      mkdirSync(dirname(stamp), { recursive: true });
      writeFileSync(stamp, "");
      const database = join(sysroot, "usr/lib/sysimage/rpm");
      rmSync(database, { recursive: true, force: true });
      mkdirSync(join(database, "rpmdb.sqlite"), { recursive: true });
      expect(cleanUp().status).not.toBe(0);
      expect(existsSync(stamp)).toBe(true);
    });
  },
);
