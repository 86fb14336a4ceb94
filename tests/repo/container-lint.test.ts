// `bootc container lint` with real images, and with real databases of packages.
import { execFileSync } from "node:child_process";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeImageRoot } from "../../src/testing/image-root.ts";
import { testCache, trixieOstree } from "./ostree-versions.ts";
import { bootc, makeScratch, type Scratch } from "./program.ts";
import { makeTinyImage } from "./tiny-image.ts";

let scratch: Scratch;
beforeAll(async () => {
  scratch = await makeScratch();
});
afterAll(() => scratch?.remove());

async function lint(...args: readonly string[]) {
  const { status, stdout, stderr } = await bootc(["container", "lint", "--format=json", ...args]);
  if (stdout === "") throw new Error(stderr);
  const document = JSON.parse(stdout) as {
    readonly results: readonly { readonly name: string; readonly message: string }[];
    readonly layers: readonly { readonly digest: string }[] | null;
  };
  return { status, stderr, ...document };
}

test("the base and the image itself are read from a layout, and nothing of them is left", async () => {
  const dir = join(scratch.dir, "oci");
  await mkdir(dir);
  const large = Buffer.alloc(2 << 20, "x");
  const made = await makeTinyImage(dir, "os", {
    layers: [
      { "/etc/passwd": "root:x:0:0::/:\nsshd:x:75:75::/:\n", "/usr/lib/large": large },
      { "/usr/lib/large": Buffer.alloc(2 << 20, "y") },
    ],
  });
  const root = await makeImageRoot({
    "etc/passwd": "root:x:0:0::/:\nsshd:x:74:74::/:\n",
    "usr/lib/sysusers.d/sshd.conf": "u sshd\n",
    "usr/bin/new": { text: "", mode: 0o4755 },
  });
  const image = `oci:${dir}:os`;
  const temporary = join(scratch.dir, "tmp");
  await mkdir(temporary);
  const { status, stdout, stderr } = await bootc(
    [
      "container",
      "lint",
      `--rootfs=${root}`,
      `--base=${image}`,
      `--image=${image}`,
      "--format=json",
    ],
    { env: { TMPDIR: temporary } },
  );
  expect({ status, stderr }).toEqual({
    status: 0,
    stderr: "note: skipped etc-unowned: no package database was found\n",
  });
  const { results, layers } = JSON.parse(stdout);
  expect(results.map((it: { message: string }) => it.message)).toEqual([
    "Found ids that differ from the base image: user sshd: 74, was 75",
    "Found set-uid or set-gid files that the base image does not have: /usr/bin/new 4755",
    "Found files that are in more than one layer: /usr/lib/large (2.0 MiB, layer 2)",
  ]);
  expect(layers.map((it: { digest: string }) => it.digest)).toEqual(made.layerDigests);
  expect(await readdir(temporary)).toEqual([]);
});

test("an image that does not exist is an error of skopeo's kind", async () => {
  const root = await makeImageRoot();
  const { status, stdout, stderr } = await bootc([
    "container",
    "lint",
    `--rootfs=${root}`,
    `--base=oci:${scratch.dir}/none`,
  ]);
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toMatch(/^error: reading the image oci:\S+: skopeo cannot get /);
});

test("the database of rpm says which files in /etc belong to packages, and is left as it was", async () => {
  const spec = join(scratch.dir, "sample.spec");
  await writeFile(
    spec,
    "Name: sample\nVersion: 1\nRelease: 1\nSummary: s\nLicense: MIT\nBuildArch: noarch\n%description\n.\n" +
      "%install\nmkdir -p %{buildroot}/etc\ntouch %{buildroot}/etc/owned.conf\n%files\n/etc/owned.conf\n",
  );
  const top = join(scratch.dir, "rpmbuild");
  execFileSync("rpmbuild", ["-bb", "--quiet", `--define=_topdir ${top}`, spec], { stdio: "pipe" });
  const root = await makeImageRoot({ "etc/mine.conf": "" });
  const dbpath = join(root, "usr/share/rpm");
  const rpm = join(top, "RPMS/noarch/sample-1-1.noarch.rpm");
  execFileSync("rpm", [
    ...["--root", root, "--dbpath", "/usr/share/rpm", "--install", "--nodeps", "--noscripts", rpm],
  ]);
  const before = await readdir(dbpath);
  const { results, stderr } = await lint(`--rootfs=${root}`);
  expect(stderr).not.toContain("etc-unowned");
  const unowned = results.filter((it) => it.name === "etc-unowned").map((it) => it.message);
  expect(unowned).toEqual(["Found files in /etc that no package owns: /etc/mine.conf"]);
  expect(await readdir(dbpath)).toEqual(before);
});

test("Debian's root has the findings it should have, and no others", async () => {
  // debootstrap unpacks it, without a kernel.
  trixieOstree();
  const debian = join(testCache, "ostree-trixie");
  const { results } = await lint(`--rootfs=${join(debian, "root")}`);
  const names = [...new Set(results.map((it) => it.name))];
  expect(names).toEqual([
    "baseimage-composefs",
    "baseimage-root",
    "missing-kernel",
    "nonempty-run-tmp",
    "package-database",
    "package-leftovers",
    "sysusers",
    "var-content",
    "var-log",
  ]);
});
