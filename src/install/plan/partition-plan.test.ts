import { expect, test } from "vitest";
import {
  describeTableWarning,
  formatPartitionScript,
  parseSizeMiB,
  partitionNode,
  planPartitions,
  requireRoom,
} from "./partition-plan.ts";

test("the partitions of a PC", () => {
  const plan = planPartitions({ arch: "x64", rootSizeMiB: undefined, boot: "none" });
  expect(formatPartitionScript(plan)).toMatchInlineSnapshot(`
    "label: gpt
    size=1MiB, bootable, type=21686148-6449-6E6F-744E-656564454649, name="BIOS-BOOT"
    size=512MiB, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, name="EFI-SYSTEM"
    type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709, name="root"
    "
  `);
});

test.each([
  ["arm64", "none", ["esp", "root"]],
  ["ppc64", "none", ["prep", "root"]],
  ["s390x", "none", ["root"]],
  ["x64", "any", ["bios", "esp", "boot", "root"]],
  ["x64", "xbootldr", ["bios", "esp", "boot", "root"]],
] as const)("the partitions of %s, with the boot file system %s", (arch, boot, want) => {
  const plan = planPartitions({ arch, rootSizeMiB: 4096, boot });
  expect(plan.map((it) => it.role)).toEqual(want);
  const script = formatPartitionScript(plan);
  expect(script).toContain("size=4096MiB");
  // The type by which systemd-boot finds it.
  expect(script.includes("bc13c2ff-59e6-4262-a352-b275fd6f7172")).toBe(boot === "xbootldr");
});

test.each([
  ["exactly enough for all", 4096, 4096 + 1 + 512 + 2, true],
  ["one MiB less", 4096, 4096 + 1 + 512 + 1, false],
  ["the rest is enough for a root", undefined, 300 + 1 + 512 + 2, true],
  ["the rest is not", undefined, 300 + 1 + 512 + 1, false],
  ["the least root there is", 300, 300 + 1 + 512 + 2, true],
])("room on a disk: %s", (_about, rootSizeMiB, diskMiB, isEnough) => {
  const plan = planPartitions({ arch: "x64", rootSizeMiB, boot: "none" });
  const check = () => requireRoom(plan, diskMiB * 1024 * 1024);
  if (isEnough) expect(check).not.toThrow();
  else expect(check).toThrow(`the disk has ${diskMiB} MiB`);
});

test("a root that is too small for any file system is refused", () => {
  expect(() => planPartitions({ arch: "x64", rootSizeMiB: 299, boot: "none" })).toThrow(
    "a root of 299 MiB is too small",
  );
});

test.each([
  ["no table", undefined, undefined],
  ["GPT", "gpt", undefined],
  ["DOS", "dos", "Installing to `dos` format partitions is not recommended"],
  ["another", "sun", "Unknown partition table format: sun"],
])("warning of a partition table: %s", (_about, type, want) => {
  expect(describeTableWarning(type)).toBe(want);
});

test("an architecture without a root type is refused", () => {
  expect(() => planPartitions({ arch: "riscv64", rootSizeMiB: 1024, boot: "none" })).toThrow(
    "riscv64",
  );
});

test.each([
  ["100", 100],
  ["20G", 20_480],
  ["2TiB", 2_097_152],
  ["512MiB", 512],
])("size %s", (text, want) => expect(parseSizeMiB(text)).toBe(want));

test.each(["", "0", "1.5G", "G", "10K", "-1"])("refuses the size `%s`", (text) => {
  expect(() => parseSizeMiB(text)).toThrow("is not a size");
});

test("nodes of partitions", () => {
  expect(partitionNode("/dev/sda", 3)).toBe("/dev/sda3");
  expect(partitionNode("/dev/nvme0n1", 3)).toBe("/dev/nvme0n1p3");
});
