// `bootc container ukify` with the real ukify, and what is in the result.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseUkiSections, requireUkiSection, UKI_HEADER_BYTES } from "../../src/host/boot/uki.ts";
import { makeImageRoot } from "../../src/testing/image-root.ts";
import { unpackPackages } from "./debian-packages.ts";
import { testCache } from "./ostree-versions.ts";
import { bootc, makeScratch, type Scratch } from "./program.ts";

const DIGEST = "0a".repeat(64);
const missing = findMissing();

function findMissing(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  const path = (process.env.PATH ?? "").split(":");
  const absent = ["debootstrap", "python3"].find(
    (it) => !path.some((dir) => existsSync(join(dir, it))),
  );
  return absent && `needs ${absent}`;
}

/** Debian's ukify of trixie and the stub that it puts before the kernel: a program for PATH. */
function installUkify(bin: string): void {
  const top = join(testCache, "ukify-trixie");
  if (!existsSync(top)) {
    const unfinished = `${top}.${process.pid}`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(testCache, { recursive: true });
    const packages = ["systemd-ukify", "python3-pefile", "systemd-boot-efi"];
    unpackPackages(unfinished, { suite: "trixie", packages, isAlone: true });
    renameSync(unfinished, top);
  }
  mkdirSync(bin);
  writeFileSync(
    join(bin, "ukify"),
    `#!/bin/sh
PYTHONPATH=${top}/usr/lib/python3/dist-packages exec python3 ${top}/usr/bin/ukify "$@" \\
  --stub=${top}/usr/lib/systemd/boot/efi/linuxx64.efi.stub
`,
  );
  chmodSync(join(bin, "ukify"), 0o755);
}

describe.skipIf(missing)(`ukify${missing ? ` (${missing})` : ""}`, () => {
  let scratch: Scratch;
  let env: Readonly<Record<string, string>>;
  beforeAll(async () => {
    scratch = await makeScratch();
    const bin = join(scratch.dir, "bin");
    installUkify(bin);
    env = { PATH: `${bin}:${process.env.PATH}` };
  });
  afterAll(() => scratch?.remove());

  test("the kernel, the initramfs and the arguments of an image are in one file", async () => {
    const root = await makeImageRoot({
      "usr/lib/modules/6.12.0/vmlinuz": "a kernel",
      "usr/lib/modules/6.12.0/initramfs.img": "an initramfs",
      "usr/lib/bootc/kargs.d/10.toml": 'kargs = ["quiet"]\n',
    });
    const uki = join(scratch.dir, "os.efi");
    const words = ["container", "ukify", `--rootfs=${root}`, `--composefs-digest=${DIGEST}`];
    const ended = await bootc([...words, "--", `--output=${uki}`], { env });
    expect(ended.status, ended.stderr).toBe(0);
    const bytes = readFileSync(uki);
    const sections = parseUkiSections(bytes.subarray(0, UKI_HEADER_BYTES), bytes.length);
    const section = (name: string) => {
      const { offset, sizeBytes } = requireUkiSection(sections, name);
      return bytes.toString("utf8", offset, offset + sizeBytes).replace(/\0+$/, "");
    };
    expect(section(".cmdline")).toBe(`quiet composefs=${DIGEST}`);
    expect(section(".osrel")).toContain("ID=debian");
    const out = join(scratch.dir, "out");
    expect(await bootc(["internals", "uki", "extract", uki, out])).toMatchObject({ status: 0 });
    expect(readFileSync(join(out, "6.12.0/vmlinuz"), "utf8")).toContain("a kernel");
    expect(readFileSync(join(out, "6.12.0/initramfs.img"), "utf8")).toContain("an initramfs");
  });

  test("what ukify refuses is an error, in its words", async () => {
    const root = await makeImageRoot();
    const words = ["container", "ukify", `--rootfs=${root}`, `--composefs-digest=${DIGEST}`];
    const ended = await bootc([...words, "--", "--no-such-option"], { env });
    expect(ended).toMatchObject({ status: 1, stdout: "" });
    expect(ended.stderr).toMatch(/--no-such-option/);
  });
});
