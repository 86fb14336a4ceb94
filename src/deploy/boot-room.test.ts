import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Deployment } from "../host/deployment.ts";
import { parseListing, sumFreeableKernels } from "./boot-room.ts";

// ostree 2022.7 and 2025.2 print the same.
const LISTING = `d00755 0 0      0 ${"a".repeat(64)} ${"b".repeat(64)} /usr/lib/modules/6.12
-00644 0 0 29713920 ${"c".repeat(64)} /usr/lib/modules/6.12/initramfs.img
l00777 0 0      0 ${"d".repeat(64)} /usr/lib/modules/6.12/build -> /usr/src
`;

test("a listing of ostree, directories with two checksums", () => {
  expect(parseListing(LISTING).map((it) => [it.kind, it.sizeBytes, it.path])).toEqual([
    ["d", 0, "/usr/lib/modules/6.12"],
    ["-", 29_713_920, "/usr/lib/modules/6.12/initramfs.img"],
    ["l", 0, "/usr/lib/modules/6.12/build -> /usr/src"],
  ]);
});

const deployment = (changes: Partial<Deployment>): Deployment => ({
  stateroot: "default",
  checksum: "a".repeat(64),
  serial: 0,
  bootChecksum: "booted",
  isStaged: false,
  isBooted: false,
  isPinned: false,
  isLocked: false,
  unlocked: "none",
  bootOptions: "",
  isSoftRebootCapable: false,
  origin: { image: undefined, refspec: undefined, isIncompatible: false },
  content: undefined,
  cachedUpdate: undefined,
  problems: [],
  ...changes,
});

test("only kernels that nothing kept boots make room, and a note of ostree's is no kernel", async () => {
  const boot = await mkdtemp(join(tmpdir(), "boot-room-"));
  onTestFinished(() => rm(boot, { recursive: true, force: true }));
  const sizes = { booted: 1, rollback: 10, pinned: 100, orphan: 1000 };
  for (const [name, size] of Object.entries(sizes)) {
    await mkdir(join(boot, `ostree/default-${name}`), { recursive: true });
    await writeFile(join(boot, `ostree/default-${name}/vmlinuz`), "x".repeat(size));
  }
  await mkdir(join(boot, "ostree/other-system"));
  await writeFile(join(boot, "ostree/other-system/vmlinuz"), "x".repeat(10_000));
  await writeFile(join(boot, "ostree/finalize-failure.stamp"), "no space left on device");
  const deployments = [
    deployment({ isBooted: true }),
    deployment({ bootChecksum: "rollback" }),
    deployment({ bootChecksum: "pinned", isPinned: true }),
    deployment({ bootChecksum: "system", stateroot: "other" }),
  ];
  expect(await sumFreeableKernels(boot, deployments)).toBe(1010);
});

test("without a /boot of ostree's nothing makes room", async () => {
  expect(await sumFreeableKernels("/nonexistent", [deployment({ isBooted: true })])).toBe(0);
});
