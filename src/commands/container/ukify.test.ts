import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeImageRoot, type Placement } from "../../testing/image-root.ts";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { type UkifyOptions, ukify } from "./ukify.ts";

const DIGEST = "0a".repeat(64);
const KARGS = { "usr/lib/bootc/kargs.d/10.toml": 'kargs = ["quiet", "console=ttyS0"]\n' };

/** The arguments of ukify, with the root as `ROOT`. */
async function argsOf(
  changes: Placement,
  options: Partial<UkifyOptions> | ((root: string) => Partial<UkifyOptions>),
) {
  const rootfs = await makeImageRoot(changes);
  const bin = join(rootfs, "opt/bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, "ukify"), "");
  chmodSync(join(bin, "ukify"), 0o755);
  const { ctx } = scriptedContext("/nonexistent", [], { env: { PATH: bin } });
  let found: readonly string[] = [];
  const run = async (
    program: string,
    args: readonly string[],
    how: { readonly cwd?: string } = {},
  ) => {
    found = [program, ...args].map((it) => it.replaceAll(rootfs, "ROOT"));
    expect(how.cwd).toBe(rootfs);
  };
  const more = typeof options === "function" ? options(rootfs) : options;
  await ukify({ ...ctx, run }, ["--output", "/out.efi"], {
    rootfs,
    composefsDigest: DIGEST,
    ...more,
  });
  return found;
}

test("the kernel of the image, its arguments and the digest go to ukify, and words after them", async () => {
  expect(await argsOf(KARGS, { karg: ["debug"] })).toEqual([
    ...["ukify", "build", "--linux", "ROOT/usr/lib/modules/6.12.0/vmlinuz"],
    ...["--initrd", "ROOT/usr/lib/modules/6.12.0/initramfs.img", "--uname", "6.12.0"],
    ...["--cmdline", `quiet console=ttyS0 composefs=${DIGEST} debug`],
    ...["--os-release", "@ROOT/usr/lib/os-release", "--output", "/out.efi"],
  ]);
});

test("a kernel from elsewhere has its version in the name of the directory", async () => {
  const changes = {
    "usr/lib/modules/6.12.0": null,
    "srv/6.13.1/vmlinuz": "kernel",
    "srv/6.13.1/initramfs.img": "initramfs",
  };
  const args = await argsOf(changes, (root) => ({
    kernelDir: `${root}/srv/6.13.1/`,
    allowMissingVerity: true,
  }));
  expect(args.slice(2, 9)).toEqual([
    ...["--linux", "ROOT/srv/6.13.1/vmlinuz", "--initrd", "ROOT/srv/6.13.1/initramfs.img"],
    ...["--uname", "6.13.1", "--cmdline"],
  ]);
  expect(args).toContain(`composefs=?${DIGEST}`);
});

const DIR = "usr/lib/modules/6.12.0";

test.each<[string, Placement, Partial<UkifyOptions>, string]>([
  ["no kernel", { [`${DIR}/vmlinuz`]: null }, {}, "No kernel found in"],
  ["no initramfs", { [`${DIR}/initramfs.img`]: null }, {}, `${DIR}/initramfs.img\` is missing`],
  [
    "a UKI already",
    { "boot/EFI/Linux/a.efi": "" },
    {},
    "Cannot build UKI: rootfs already contains a UKI at boot/EFI/Linux/a.efi",
  ],
  ["a kernel directory without a kernel", {}, { kernelDir: "/srv" }, "`/srv/vmlinuz` is missing"],
  ["a digest of another kind", {}, { composefsDigest: "0a" }, "`0a` is not a composefs digest"],
  [
    "a dump of what would be hashed",
    {},
    { writeDumpfileTo: "/x" },
    "this version cannot compute the composefs digest of a root",
  ],
])("%s is an error", async (_, changes, options, message) => {
  await expect(argsOf(changes, options)).rejects.toThrow(message);
});

test("without the digest or without ukify nothing is started, and the hint says where it is", async () => {
  const rootfs = await makeImageRoot();
  const { ctx } = scriptedContext("/nonexistent", [], { env: { PATH: join(rootfs, "none") } });
  await expect(ukify(ctx, [], { rootfs })).rejects.toMatchObject({
    kind: "unsupported",
    hint: expect.stringContaining("--composefs-digest"),
  });
  await expect(ukify(ctx, [], { rootfs, composefsDigest: DIGEST })).rejects.toMatchObject({
    message: "`ukify`: not found",
    hint: expect.stringContaining("systemd-ukify"),
  });
});
