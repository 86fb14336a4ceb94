import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { formatImageReference } from "../image/reference.ts";
import { parsePrepareRoot } from "../sysroot/prepare-root.ts";
import { scriptedContext } from "../testing/scripted-context.ts";
import { decideTarget, prepareInstall, requireSupportedRoot } from "./prepare.ts";
import type { InstallSource } from "./source.ts";

const LAYOUT: InstallSource = {
  image: { transport: "oci", name: "/srv/os:latest" },
  name: "/srv/os:latest",
  isOwnContainer: false,
};
const CONTAINER: InstallSource = {
  image: { transport: "containers-storage", name: "quay.io/os@sha256:0" },
  name: "quay.io/os:1",
  isOwnContainer: true,
};

test.each([
  ["a named source is followed", LAYOUT, {}, "oci:/srv/os:latest"],
  ["a container's image is followed in its registry", CONTAINER, {}, "docker://quay.io/os:1"],
  [
    "a target without a transport is in a registry",
    LAYOUT,
    { targetImgref: "quay.io/x" },
    "docker://quay.io/x",
  ],
  [
    "a transport alone goes with the name of a named source",
    LAYOUT,
    { targetTransport: "containers-storage" },
    "containers-storage:/srv/os:latest",
  ],
  [
    "`registry` counts as given",
    LAYOUT,
    { targetTransport: "registry" },
    "docker:///srv/os:latest",
  ],
  [
    "a transport alone goes with the name of a container's image",
    CONTAINER,
    { targetTransport: "containers-storage" },
    "containers-storage:quay.io/os:1",
  ],
  [
    "both are given",
    CONTAINER,
    { targetTransport: "oci", targetImgref: "/srv/next" },
    "oci:/srv/next",
  ],
])("target: %s", (_about, source, options, want) => {
  const { image, verification } = decideTarget(options, source, undefined);
  expect([formatImageReference(image), verification.kind]).toEqual([want, "none"]);
});

test.each([
  ["nothing is said", undefined, undefined, "none"],
  ["the configuration asks for it", undefined, true, "policy"],
  ["the command line asks for it", true, undefined, "policy"],
])("signatures of updates: %s", (_about, option, config, want) => {
  const options = option === undefined ? {} : { enforceContainerSigpolicy: option };
  const installConfig =
    config === undefined ? undefined : { "enforce-container-sigpolicy": config };
  const { verification } = decideTarget(options, LAYOUT, installConfig);
  expect(verification).toEqual({ kind: want });
});

test.each([
  ["composefs is not mentioned", "[sysroot]\nreadonly=true\n", undefined],
  ["composefs without fs-verity", "[composefs]\nenabled = yes\n", undefined],
  ["the same key elsewhere", "[root]\nenabled = verity\n", undefined],
  ["fs-verity", "[composefs]\nenabled = verity\n", "is `verity`"],
  ["signatures, which need fs-verity", "[composefs]\nenabled=signed\n", "is `signed`"],
  ["no file at all", undefined, "Failed to find ostree/prepare-root.conf"],
])("the root of an image: %s", (_about, text, refusal) => {
  const conf = text === undefined ? undefined : parsePrepareRoot(text);
  if (refusal === undefined) expect(() => requireSupportedRoot(conf)).not.toThrow();
  else expect(() => requireSupportedRoot(conf)).toThrow(refusal);
});

test.each([
  ["the command line", { bootloader: "systemd" }, 'bootloader = "grub"'],
  ["the configuration", {}, 'bootloader = "systemd"'],
] as const)(
  "systemd-boot of %s needs EFI before anything is looked at",
  async (_about, options, config) => {
    const root = await mkdtemp(join(tmpdir(), "prepare-"));
    const files = {
      "proc/self/status": "Uid:\t0\t0\t0\t0\nCapBnd:\t000001ffffffffff\n",
      "etc/bootc/install/10.toml": `[install]\n${config}\n`,
    };
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(root, path)), { recursive: true });
      await writeFile(join(root, path), text);
    }
    const request = { ...options, sourceImgref: "oci:/nonexistent", boundImages: "skip" } as const;
    const prepare = (more: object) =>
      prepareInstall(scriptedContext(root, []).ctx, { ...request, ...more });
    await expect(prepare({})).rejects.toMatchObject({
      message: "this machine starts by a BIOS, but systemd-boot needs EFI",
      kind: "unsupported",
    });
    await expect(prepare({ genericImage: true })).rejects.not.toThrow("BIOS");
  },
);
