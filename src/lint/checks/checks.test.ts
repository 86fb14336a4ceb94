import { execFileSync } from "node:child_process";
import { chownSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import {
  makeImageRoot,
  makeInitramfs,
  type Placement,
  subjectOf,
} from "../../testing/image-root.ts";
import type { Subject } from "../check.ts";
import { formatHuman } from "../report/human.ts";
import { runChecks } from "../run.ts";

const DIR = { dir: 0o755 };

/** What is printed about findings, without the totals. */
async function findings(changes: Placement, known: Partial<Subject> = {}): Promise<string> {
  const subject = subjectOf(await makeImageRoot(changes), known);
  const report = runChecks(subject, { skip: [] });
  const [text = ""] = formatHuman(report, { isWhole: false }).split(/^Checks passed: /m);
  return text + (report.failure === undefined ? "" : `! ${report.failure.error.message}\n`);
}

test("the clean root has no findings, as an image and as a running root", async () => {
  expect(await findings({})).toBe("");
  expect(await findings({}, { rootKind: "running" })).toBe("");
});

describe("the checks of bootc 1.x, with their texts", () => {
  const PREPARE_ROOT = "usr/lib/ostree/prepare-root.conf";
  const BASE = "usr/share/doc/bootc/baseimage/base";
  test.each<[string, Placement, string]>([
    [
      "an API directory that is missing",
      { proc: null },
      "Failed lint: api-base-directories: Missing API filesystem base directory: /proc\n",
    ],
    [
      "an API directory that is a file",
      { sys: "" },
      "Failed lint: api-base-directories: Expected directory for API filesystem base directory: " +
        "/sys\n",
    ],
    [
      "an API directory that is a link",
      { dev: { link: "var/dev" } },
      "Failed lint: api-base-directories: Expected directory for API filesystem base directory: " +
        "/dev\n",
    ],
    [
      "no prepare-root.conf",
      { [PREPARE_ROOT]: null },
      `Lint warning: baseimage-composefs: ${PREPARE_ROOT} is not present to enable composefs\n`,
    ],
    [
      "no composefs",
      { [PREPARE_ROOT]: "[sysroot]\nreadonly=true\n" },
      `Lint warning: baseimage-composefs: ${PREPARE_ROOT} does not have composefs enabled\n`,
    ],
    ["no /sysroot", { sysroot: null }, "Failed lint: baseimage-root: Missing /sysroot\n"],
    [
      "no /ostree",
      { ostree: null },
      "Failed lint: baseimage-root: Missing ostree -> sysroot/ostree link\n",
    ],
    [
      "a base image by its documentation without /ostree",
      { [`${BASE}/sysroot`]: DIR, [`${BASE}/${PREPARE_ROOT}`]: "[composefs]\nenabled=true\n" },
      "Failed lint: baseimage-root: Missing ostree -> sysroot/ostree link\n",
    ],
    [
      "kernel arguments that are not TOML",
      { "usr/lib/bootc/kargs.d/10.toml": "kargs = [" },
      "! kargs.d file `10.toml` is not valid TOML: line 1, column 9: unfinished array\n",
    ],
    [
      "an empty hostname",
      { "etc/hostname": "" },
      "Lint warning: buildah-injected: /etc/hostname is an empty file; this may have been " +
        "synthesized by a container runtime.\n",
    ],
    [
      "/usr/etc",
      { "usr/etc": DIR },
      "Failed lint: etc-usretc: Found /usr/etc - this is a bootc implementation detail and not " +
        "supported to use in containers\n",
    ],
    [
      "two kernels",
      { "usr/lib/modules/6.13.0/vmlinuz": "" },
      "! Found multiple subdirectories in usr/lib/modules\n",
    ],
    ["no /boot", { boot: null }, "Lint warning: nonempty-boot: Missing /boot directory\n"],
    [
      "files in /boot beside the unified kernel",
      { "boot/EFI/x": "", "boot/vmlinuz-6.12.0": "" },
      "Lint warning: nonempty-boot: Found non-empty /boot:\n  vmlinuz-6.12.0\n\n",
    ],
    [
      "content in /run and /tmp",
      { "run/dnf/x": "", "tmp/a b": "" },
      "Lint warning: nonempty-run-tmp: Found content in runtime-only directories (/run, /tmp):\n " +
        " /run/dnf\n  /run/dnf/x\n  '/tmp/a b'\n\n",
    ],
    ["what container runtimes put into /run", { "run/systemd/resolve/stub-resolv.conf": "" }, ""],
    [
      "the same with other content",
      { "run/systemd/resolve/stub-resolv.conf": "", "run/systemd/x": "" },
      "Lint warning: nonempty-run-tmp: Found content in runtime-only directories (/run, /tmp):\n " +
        " /run/systemd\n  /run/systemd/x\n\n",
    ],
    [
      "users and groups without sysusers.d",
      {
        "etc/passwd": "root:x:0:0::/:/bin/sh\nnginx:x:9:9::/:/bin/sh\nd:x:8:8::/:/bin/sh\n",
        "etc/group": "root:x:0:\nnginx:x:9:\nd:x:8:\nsudo:x:7:\n",
        "usr/lib/sysusers.d/d.conf": "u! d 8\n",
      },
      "Lint warning: sysusers: Found /etc/passwd entry without corresponding systemd " +
        "sysusers.d:\n  nginx\nFound /etc/group entry without corresponding systemd sysusers.d:\n  " +
        "nginx\n  sudo\n\n",
    ],
    [
      "logs",
      { "var/log/a.log": "x", "var/log/b/c.log": "x", "var/log/empty": "" },
      "Lint warning: var-log: Found non-empty logfile: /var/log/a.log (and 1 more)\n",
    ],
    ["/var/run", { "var/run": DIR }, "Failed lint: var-run: Not a symlink: var/run\n"],
  ])("%s", async (_, changes, expected) => {
    const text = await findings(changes);
    if (expected === "") expect(text).toBe("");
    else expect(text).toContain(expected);
  });
});

describe("a running root: what is in /var and no tmpfiles.d line names", () => {
  test.each<[string, Placement, string]>([
    [
      "a directory, a link and a file",
      {
        "var/lib/nginx": { dir: 0o770 },
        "var/lib/key": { link: "../../etc/key" },
        "var/lib/dnf/countme": "1",
        "etc/tmpfiles.d/lib.conf": "d /var/lib 0755 root root - -\n",
      },
      "Lint warning: var-tmpfiles: Found content in /var missing systemd tmpfiles.d entries:\n  " +
        "L /var/lib/key - - - - ../../etc/key\n  d /var/lib/dnf 0755 root root - -\n  d " +
        "/var/lib/nginx 0770 root root - -\nFound non-directory/non-symlink files in /var:\n  " +
        "var/lib/dnf/countme\n\n",
    ],
    [
      "lines with quotes, escapes and a path through a link",
      {
        "var/lib/a b": DIR,
        "var/lib/\u00e9": DIR,
        "var/run": { link: "../run" },
        "var/other": { link: "lib" },
        "var/lib/x": DIR,
        "usr/lib/tmpfiles.d/more.conf":
          'd /var/lib\nL+ /var/run\nL /var/other - - - - lib\nd "/var/lib/a b" 0755\n' +
          "d /var/lib/\\xc3\\xa9\nd! /var/other/x/ - - -\n# d /nothing\n",
      },
      "",
    ],
  ])("%s", async (_, changes, expected) => {
    expect(await findings(changes, { rootKind: "running" })).toBe(expected);
  });
});

describe("the other checks", () => {
  const UNITS = "etc/systemd/system";
  const KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n";
  const module = (version: string) => Buffer.from(`x\0vermagic=${version} SMP mod_unload \0y`);
  test.each<[string, Placement, string]>([
    [
      "a bound image that is a file, one that leads nowhere, one without an image",
      {
        "usr/lib/bootc/bound-images.d/a.image": "[Image]\nImage=quay.io/a/b\n",
        "usr/lib/bootc/bound-images.d/b.image": { link: "/usr/share/b.image" },
        "usr/lib/bootc/bound-images.d/c.container": { link: "/usr/share/c.container" },
        "usr/share/c.container": "[Container]\n",
        "usr/lib/bootc/bound-images.d/d.container": { link: "../../../share/d.container" },
        "usr/share/d.container": "[Container]\nImage=quay.io/a/b\n",
      },
      "Lint warning: bound-images: Found bound images that cannot be read:\n  " +
        "/usr/lib/bootc/bound-images.d/a.image: not a symbolic link\n  " +
        "/usr/lib/bootc/bound-images.d/b.image: it leads to no file\n  " +
        "/usr/lib/bootc/bound-images.d/c.container: Missing Image field\n\nLint note: " +
        "broken-links: Found broken symbolic links:\n  /usr/lib/bootc/bound-images.d/b.image -> " +
        "/usr/share/b.image\n\n",
    ],
    [
      "broken links, except to what is made at run time or by another package",
      {
        "usr/bin/a": { link: "b" },
        "usr/lib/rel": { link: "../../run/x" },
        "usr/lib/abs": { link: "/var/lib/x" },
        "usr/share/doc/x": { link: "nowhere" },
        "usr/lib/modules/6.12.0/build": { link: "/usr/src/linux" },
        "usr/lib/outside": { link: "../../../../../../../../etc/hostname" },
        "usr/lib/loop": { link: "loop" },
      },
      "Lint note: broken-links: Found broken symbolic links:\n  /usr/bin/a -> b\n  /usr/lib/loop " +
        "-> loop\n\n",
    ],
    [
      "private keys and credentials",
      {
        "root/.ssh/id_ed25519": KEY,
        "etc/ssl/private/server.key": KEY,
        "etc/ssl/server.pem": "-----BEGIN CERTIFICATE-----\n",
        "usr/share/doc/example.key": KEY,
        "usr/local/lib/python3/test/key.pem": KEY,
        "home/me/.netrc": "machine x password y",
        "root/.docker/config.json": "",
      },
      "Lint warning: build-secrets: Found files with credentials:\n  /home/me/.netrc\nFound " +
        "private keys:\n  /etc/ssl/private/server.key\n  /root/.ssh/id_ed25519\n\n",
    ],
    [
      "second versions of configuration files",
      { "etc/a.conf.rpmnew": "", "etc/x/b.dpkg-dist": "", "usr/lib/c.rpmnew": "" },
      "Lint note: config-backups: Found second versions of configuration files:\n  " +
        "/etc/a.conf.rpmnew\n  /etc/x/b.dpkg-dist\n\n",
    ],
    [
      "kernel arguments that contradict each other, across files",
      {
        "usr/lib/bootc/kargs.d/10.toml": 'kargs = ["selinux=1", "console=tty0", "ro"]',
        "usr/lib/bootc/kargs.d/20.toml":
          'kargs = ["selinux=0 console=ttyS0", "rw", "root=/dev/sda1"]',
        "usr/lib/bootc/kargs.d/30.toml": 'kargs = ["selinux=2"]\nmatch-architectures = ["aarch64"]',
      },
      "Lint warning: contradicting-kargs: Found kernel arguments that contradict each other:\n  " +
        "selinux=1 selinux=0\n  ro rw\nFound kernel arguments that bootc sets itself:\n  " +
        "root=/dev/sda1\n\n",
    ],
    [
      "users without a password",
      { "etc/shadow": "root::1::::::\nbin:*:1::::::\nme:!:1::::::\n" },
      "Lint warning: empty-passwords: Found users without a password:\n  root\n\n",
    ],
    [
      "an fstab of another machine",
      {
        "etc/fstab":
          "# /etc/fstab\nUUID=1-2 /boot ext4 defaults 0 0\ntmpfs /tmp tmpfs\n/dev/vda1 / ext4\n",
      },
      "Lint warning: fstab-entries: Found entries of a particular machine in /etc/fstab:\n  " +
        "UUID=1-2 /boot ext4 defaults 0 0\n  /dev/vda1 / ext4\n\n",
    ],
    [
      "kernel arguments that nothing reads",
      { "etc/bootc/kargs.d/10.toml": "", "usr/lib/bootc/kargs.d/10.conf": "" },
      "Lint warning: ignored-kargs: Found files of kernel arguments that nothing reads:\n  " +
        "/etc/bootc/kargs.d/10.toml\n  /usr/lib/bootc/kargs.d/10.conf\n\n",
    ],
    [
      "an SELinux policy that nothing can refresh",
      { "etc/selinux/config": "SELINUX=disabled\n", "usr/bin/semodule": DIR },
      "Lint warning: selinux-refresh: Found an SELinux policy without what refreshes it:\n  " +
        "/usr/bin/bwrap\n  semodule\n\n",
    ],
    [
      "an SELinux policy without bubblewrap",
      { "etc/selinux/config": "", "usr/sbin": { link: "bin" }, "usr/bin/semodule": "" },
      "Lint warning: selinux-refresh: Found an SELinux policy without what refreshes it:\n  " +
        "/usr/bin/bwrap\n\n",
    ],
    [
      "an SELinux policy that can be refreshed",
      {
        "etc/selinux/config": { link: "nowhere" },
        "usr/bin/bwrap": { link: "bwrap-1" },
        "usr/bin/bwrap-1": "",
        "usr/sbin/semodule": "",
      },
      "",
    ],
    [
      "an initramfs without ostree, behind microcode",
      {
        "usr/lib/modules/6.12.0/initramfs.img": Buffer.concat([
          makeInitramfs(["kernel/x86/microcode/GenuineIntel.bin"]),
          Buffer.alloc(512),
          gzipSync(makeInitramfs(["init", "usr/bin/ostree-prepare"])),
        ]),
      },
      "Lint warning: initramfs-without-ostree: Found an initramfs without ostree-prepare-root:\n " +
        " /usr/lib/modules/6.12.0/initramfs.img\n\n",
    ],
    [
      "an initramfs with bootc's module, packed by zstd",
      {
        "usr/lib/modules/6.12.0/initramfs.img": zstdCompressSync(
          makeInitramfs(["usr/lib/systemd/system/bootc-root-setup.service"]),
        ),
      },
      "",
    ],
    [
      "modules of another kernel, without an index, and for another version",
      {
        "usr/lib/modules/6.11.0/kernel/a.ko": "",
        "usr/lib/modules/6.12.0/modules.dep": null,
        "usr/lib/modules/6.12.0/extra/a.ko": module("6.12.0"),
        "usr/lib/modules/6.12.0/extra/b.ko": module("6.11.0"),
        "usr/lib/modules/6.12.0/updates/c.ko.gz": gzipSync(module("6.10.0")),
        "usr/lib/modules/6.12.0/updates/damaged.ko.zst": "x",
        "usr/lib/modules/6.12.0/updates/zst.ko.zst": zstdCompressSync(module("6.12.0")),
      },
      "Lint warning: kernel-modules: Found modules of kernels that the image does not have:\n  " +
        "/usr/lib/modules/6.11.0\nFound modules without modules.dep:\n  " +
        "/usr/lib/modules/6.12.0\nFound modules built for another kernel:\n  " +
        "/usr/lib/modules/6.12.0/extra/b.ko (for 6.11.0)\n  " +
        "/usr/lib/modules/6.12.0/updates/c.ko.gz (for 6.10.0)\n\n",
    ],
    [
      "ids of machines",
      {
        "etc/machine-id": `${"0a".repeat(16)}\n`,
        "var/lib/dbus/machine-id": { link: "/etc/machine-id" },
      },
      "Lint warning: machine-id: Found the id of a machine:\n  /etc/machine-id\n\n",
    ],
    ["a machine-id that systemd replaces", { "etc/machine-id": "uninitialized\n" }, ""],
    [
      "a kernel without initramfs",
      { "usr/lib/modules/6.12.0/initramfs.img": null },
      "Lint warning: missing-initramfs: Found kernels without initramfs.img:\n  " +
        "/usr/lib/modules/6.12.0\n\n",
    ],
    [
      "no kernel",
      { "usr/lib/modules/6.12.0": null, "usr/lib/modules": DIR },
      "Lint warning: missing-kernel: Found no kernel in /usr/lib/modules\n",
    ],
    [
      "enabled units that do not exist",
      {
        [`${UNITS}/multi-user.target.wants/gone.service`]: {
          link: "/usr/lib/systemd/system/gone.service",
        },
        [`${UNITS}/multi-user.target.wants/a@1.service`]: {
          link: "/lib/systemd/system/a@.service",
        },
        "usr/lib/systemd/system/a@.service": "",
      },
      "Lint warning: missing-units: Found enabled units that do not exist:\n" +
        `  /${UNITS}/multi-user.target.wants/gone.service -> /usr/lib/systemd/system/gone.service\n\n`,
    ],
    [
      "enabled units that presets disable",
      {
        [`${UNITS}/multi-user.target.wants/a.service`]: {
          link: "/usr/lib/systemd/system/a.service",
        },
        [`${UNITS}/sockets.target.wants/b.socket`]: { link: "/usr/lib/systemd/system/b.socket" },
        [`${UNITS}/x.target.requires/c@tty1.service`]: {
          link: "/usr/lib/systemd/system/c@.service",
        },
        [`${UNITS}/x.target.wants/d.service`]: { link: "/usr/lib/systemd/system/d.service" },
        "usr/lib/systemd/system/a.service": "",
        "usr/lib/systemd/system/b.socket": "",
        "usr/lib/systemd/system/c@.service": "",
        "usr/lib/systemd/system/d.service": "",
        "usr/lib/systemd/system-preset/50-a.preset": "enable b.*\nenable c@.service\n",
        "usr/lib/systemd/system-preset/60-d.preset": "disable d.service\n",
        "etc/systemd/system-preset/60-d.preset": "enable [d].service\n",
        "usr/lib/systemd/system-preset/99-default.preset": "disable *\n",
      },
      "Lint note: unpreset-units: Found enabled units that presets disable:\n  a.service\n\n",
    ],
    [
      "no os-release",
      { "usr/lib/os-release": null },
      "Lint warning: os-release: Missing /usr/lib/os-release\n",
    ],
    [
      "an os-release without ID",
      { "usr/lib/os-release": "PRETTY_NAME=x\nBUILD_ID=1\n" },
      "Lint warning: os-release: Missing ID in /usr/lib/os-release\n",
    ],
    [
      "a database of packages in /var",
      { "var/lib/dpkg/status": "", "usr/share/factory/var/lib/dpkg/status": "" },
      "Lint note: package-database: Found a database of packages in /var:\n  /var/lib/dpkg\n\n",
    ],
    [
      "caches and lists of package managers",
      {
        "var/cache/dnf/a/b.solv": "",
        "var/cache/debconf/config.dat": "",
        "usr/lib/tmpfiles.d/c.conf": "C /var/cache\n",
      },
      "Lint note: package-leftovers: Found caches and lists of package managers:\n  " +
        "/var/cache/dnf/a/b.solv\n\n",
    ],
    [
      "a random seed",
      {
        "var/lib/systemd/random-seed": "x",
        "usr/lib/tmpfiles.d/s.conf": "f /var/lib/systemd/random-seed\n",
      },
      "Lint warning: random-seed: Found seeds and secrets of a machine:\n  " +
        "/var/lib/systemd/random-seed\n\n",
    ],
    [
      "keys of an ssh server",
      {
        "etc/ssh/ssh_host_ed25519_key": KEY,
        "etc/ssh/ssh_host_rsa_key": "",
        "etc/ssh/sshd_config": "x",
      },
      "Lint warning: ssh-host-keys: Found keys of an ssh server:\n  " +
        "/etc/ssh/ssh_host_ed25519_key\n\n",
    ],
    [
      "an unusual directory below the root",
      { app: DIR, data: { link: "var/data" }, "var/data": DIR },
      "Lint note: toplevel-entries: Unusual entries in the root directory:\n  /app\n\n",
    ],
    [
      "files of users that the image does not have",
      {
        "usr/lib/a": { text: "", uid: 1000 },
        "usr/lib/b": { text: "", uid: 7 },
        "usr/lib/passwd": "x:x:7:7::/:\n",
      },
      "Lint warning: unknown-ids: Found files of unknown users or groups:\n  /usr/lib/a (uid " +
        "1000)\n\n",
    ],
    [
      "what everybody may write",
      {
        "usr/lib/a": { text: "", mode: 0o666 },
        "var/spool": { dir: 0o777 },
        "var/tmp": { dir: 0o1777 },
        "run/lock": { dir: 0o777 },
        "usr/lib/tmpfiles.d/v.conf": "d /var/spool\nd /var/tmp\n",
      },
      "Lint warning: nonempty-run-tmp: Found content in runtime-only directories (/run, /tmp):\n " +
        " /run/lock\n\nLint warning: world-writable: Found world-writable files or directories:\n  " +
        "/usr/lib/a 0666\n  /var/spool 0777\n\n",
    ],
    [
      "files in /var that nothing makes",
      {
        "var/lib/a/b": "x",
        "var/lib/a/c": "x",
        "var/lib/made": "x",
        "var/lib/copied/x": "x",
        "var/lib/factory": "x",
        "usr/share/factory/var/lib/factory": "x",
        "usr/lib/tmpfiles.d/v.conf": "f /var/lib/made\nC /var/lib/copied\n",
        "var/one": "x",
      },
      "Lint note: var-content: Found files in /var that nothing makes:\n  /var/lib/a (2 files)\n " +
        " /var/one\n\n",
    ],
  ])("%s", async (_, changes, expected) => {
    expect(await findings(changes)).toBe(expected);
  });

  test("a directory in /usr of somebody else", async () => {
    const changes = { "usr/lib/app": { dir: 0o755 }, "usr/local/bin": { dir: 0o2775 } };
    const root = await makeImageRoot({ ...changes, "usr/lib/passwd": "app:x:77:77::/:\n" });
    chownSync(join(root, "usr/lib/app"), 77, 77);
    chownSync(join(root, "usr/local/bin"), 0, 50);
    const { found } = runChecks(subjectOf(root), { skip: ["unknown-ids"] });
    expect(found.flatMap((it) => it.findings.flatMap(({ items = [] }) => items))).toEqual([
      { path: "usr/lib/app", shown: "/usr/lib/app 0755 (uid 77, gid 77)" },
    ]);
  });

  test("named pipes and names that are not UTF-8", async () => {
    const root = await makeImageRoot();
    execFileSync("mkfifo", [join(root, "usr/lib/pipe")]);
    const bad = Buffer.concat([Buffer.from(`${root}/usr/lib/a`), Buffer.from([0xff, 0x62])]);
    writeFileSync(bad, "");
    symlinkSync(Buffer.from([0x78, 0xe9]), join(root, "usr/lib/link"));
    writeFileSync(join(root, "usr/lib/valid-\ufffd"), "");
    const report = runChecks(subjectOf(root), { skip: [] });
    expect(formatHuman(report, { isWhole: false })).toBe(
      "Lint warning: special-files: Found special files:\n  /usr/lib/pipe (fifo)\n\n" +
        "Failed lint: utf8: /usr/lib/link: Found non-utf8 symlink target\n" +
        'Failed lint: utf8: /usr/lib: Found non-utf8 filename "a\\xffb"\n' +
        "Checks passed: 39\nChecks skipped: 7\nWarnings: 1",
    );
  });
});

describe("checks that compare with the base image", () => {
  const PASSWD = {
    "etc/passwd": "root:x:0:0::/:\na:x:5:5::/:\n",
    "usr/lib/sysusers.d/a.conf": "u a\n",
  };
  test("set-uid files that are new, ids that have moved", async () => {
    const base = subjectOf(
      await makeImageRoot({
        "usr/bin/su": { text: "", mode: 0o4755 },
        "usr/bin/mount": { text: "", mode: 0o755 },
        "etc/passwd": "root:x:0:0::/:\na:x:6:6::/:\nb:x:7:7::/:\n",
      }),
    ).tree;
    const changes = {
      ...PASSWD,
      "usr/bin/su": { text: "", mode: 0o4755 },
      "usr/bin/mount": { text: "", mode: 0o4755 },
      "usr/bin/new": { text: "", mode: 0o2755 },
    };
    expect(await findings(changes, { base: { value: base } })).toBe(
      "Lint warning: moved-ids: Found ids that differ from the base image:\n  user a: 5, was " +
        "6\n\nLint warning: new-setuid: Found set-uid or set-gid files that the base image does " +
        "not have:\n  /usr/bin/mount 4755\n  /usr/bin/new 2755\n\n",
    );
  });

  test("files in /etc that neither packages nor the base have", async () => {
    const base = subjectOf(await makeImageRoot({ "etc/base.conf": "" })).tree;
    const changes = {
      "etc/base.conf": "",
      "etc/owned.conf": "",
      "etc/mine.conf": "",
      "etc/editor": { link: "/etc/alternatives/editor" },
      "etc/alternatives/editor": { link: "/usr/bin/vi" },
    };
    const known = {
      base: { value: base },
      packages: { value: { etcPaths: new Set(["/etc/owned.conf"]) } },
    };
    expect(await findings(changes, known)).toBe(
      "Lint note: etc-unowned: Found files in /etc that no package owns:\n  /etc/mine.conf\n\n",
    );
  });
});

test("the version of the image may be in a label, and without them nothing is known of it", async () => {
  const files = { "usr/lib/os-release": "ID=x\nNAME=X\nVERSION_ID=1\n" };
  const found = async (labels: Readonly<Record<string, string>>) =>
    await findings(files, { image: { value: { labels, layers: [], rewrites: [] } } });
  const note = "Lint note: image-version: Found no version of the image\n";
  expect(await found({ "containers.bootc": "1" })).toContain(note);
  expect(
    await found({ "containers.bootc": "1", "org.opencontainers.image.version": "1" }),
  ).not.toContain("image-version");
  expect(await findings(files)).not.toContain("image-version");
});

test("checks of the image: labels, files written twice, large layers", async () => {
  const MIB = 1 << 20;
  const layer = (sizeBytes: number) => ({
    digest: "sha256:x",
    sizeBytes,
    files: 1,
    contentBytes: 1,
  });
  const value = {
    labels: {},
    layers: [layer(10 * MIB), layer(700 * MIB)],
    rewrites: [
      { path: "usr/lib/small", sizeBytes: 10, layer: 1 },
      { path: "usr/lib/a", sizeBytes: 2 * MIB, layer: 1 },
      { path: "usr/lib/b", sizeBytes: 3 * MIB, layer: 1 },
    ],
  };
  expect(await findings({}, { image: { value } })).toBe(
    "Lint warning: image-labels: Missing label containers.bootc\nLint note: layer-sizes: Found a " +
      "layer with more than half of the image:\n  layer 2 (700.0 MiB of 710.0 MiB)\n\nLint note: " +
      "rewritten-files: Found files that are in more than one layer:\n  /usr/lib/b (3.0 MiB, layer " +
      "2)\n  /usr/lib/a (2.0 MiB, layer 2)\n\n",
  );
});
