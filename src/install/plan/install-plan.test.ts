import { expect, test } from "vitest";
import {
  decideRootKargs,
  findFstabMount,
  formatFstabLine,
  orderKargs,
  parseMountSpec,
  withFstabMount,
  withMountOption,
} from "./install-plan.ts";
import {
  describeTableWarning,
  formatPartitionScript,
  parseSizeMiB,
  partitionNode,
  planPartitions,
  requireRoom,
} from "./partition-plan.ts";

const NONE = { root: [], config: [], image: [], deletes: [], user: [] };

test("kernel arguments: root, configuration, image, minus deletions, then the user's", () => {
  expect(
    orderKargs({
      root: ["root=UUID=1", "rw"],
      config: ["console=tty0 quiet"],
      image: ["console=ttyS0", "quiet"],
      deletes: ["console=tty0", "quiet"],
      user: ["quiet", "debug splash"],
    }),
  ).toEqual(["root=UUID=1", "rw", "console=ttyS0", "quiet", "debug", "splash"]);
});

test.each([
  ["a key", ["a"], ["b=1"]],
  ["a key with a value", ["a=1"], ["a=2", "b=1"]],
  ["dash and underscore are one", ["b_"], ["a=1", "a=2", "b=1"]],
  ["nothing that is there", ["c"], ["a=1", "a=2", "b=1"]],
])("deleting %s", (_about, deletes, want) => {
  expect(orderKargs({ ...NONE, config: ["a=1 a=2 b=1"], deletes })).toEqual(want);
});

const FS = { spec: undefined, inherited: undefined, uuid: "U", type: "ext4" };

test.each([
  ["by uuid", FS, ["root=UUID=U", "rw"]],
  ["as asked for", { ...FS, spec: "LABEL=x" }, ["root=LABEL=x", "rw"]],
  ["not at all", { ...FS, spec: "" }, ["rw"]],
  [
    "as the running system was",
    { ...FS, inherited: ["quiet", "root=/dev/mapper/r", "rootflags=subvol=a", "rd.luks.uuid=1"] },
    ["root=/dev/mapper/r", "rootflags=subvol=a", "rd.luks.uuid=1", "rw"],
  ],
  [
    "by uuid when the running system does not say",
    { ...FS, inherited: ["quiet"] },
    ["root=UUID=U", "rw"],
  ],
  [
    "a subvolume",
    { ...FS, type: "btrfs", subvolume: "/root" },
    ["root=UUID=U", "rootflags=subvol=/root", "rw"],
  ],
  ["btrfs at its top", { ...FS, type: "btrfs", subvolume: "/" }, ["root=UUID=U", "rw"]],
])("the root is found %s", (_about, source, want) => {
  expect(decideRootKargs(source)).toEqual(want);
});

test("a mount spec of one word gets the rest by default", () => {
  const spec = withMountOption(parseMountSpec("UUID=1", "/boot"), "ro");
  expect(formatFstabLine(spec)).toBe("UUID=1 /boot auto ro 0 0");
  expect(formatFstabLine(withMountOption(parseMountSpec("L /boot xfs ro,x", "/boot"), "ro"))).toBe(
    "L /boot xfs x,ro 0 0",
  );
});

test.each(["", "  ", "a /boot b c d", "a /home"])("refuses the mount spec `%s`", (text) => {
  expect(() => parseMountSpec(text, "/boot")).toThrow("mount");
});

test("an image's own fstab stays, but for /boot", () => {
  const fstab = "# mine\nUUID=9 /data xfs defaults 0 0\nUUID=8 /boot ext4 defaults 0 0\n";
  const spec = withMountOption(parseMountSpec("UUID=1", "/boot"), "ro");
  expect(withFstabMount(fstab, spec)).toBe(
    "# mine\nUUID=9 /data xfs defaults 0 0\nUUID=1 /boot auto ro 0 0\n",
  );
  expect(withFstabMount("", spec)).toBe("UUID=1 /boot auto ro 0 0\n");
  expect(findFstabMount(fstab, "/boot")?.source).toBe("UUID=8");
  expect(findFstabMount("#UUID=8 /boot ext4\n", "/boot")).toBeUndefined();
});

test("the partitions of a PC", () => {
  const plan = planPartitions({ arch: "x64", rootSizeMiB: undefined, hasBoot: false });
  expect(formatPartitionScript(plan)).toMatchInlineSnapshot(`
    "label: gpt
    size=1MiB, bootable, type=21686148-6449-6E6F-744E-656564454649, name="BIOS-BOOT"
    size=512MiB, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b, name="EFI-SYSTEM"
    type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709, name="root"
    "
  `);
});

test.each([
  ["arm64", false, ["esp", "root"]],
  ["ppc64", false, ["prep", "root"]],
  ["s390x", false, ["root"]],
  ["x64", true, ["bios", "esp", "boot", "root"]],
])("the partitions of %s", (arch, hasBoot, want) => {
  const plan = planPartitions({ arch, rootSizeMiB: 4096, hasBoot });
  expect(plan.map((it) => it.role)).toEqual(want);
  expect(formatPartitionScript(plan)).toContain("size=4096MiB");
});

test.each([
  ["exactly enough for all", 4096, 4096 + 1 + 512 + 2, true],
  ["one MiB less", 4096, 4096 + 1 + 512 + 1, false],
  ["the rest is enough for a root", undefined, 300 + 1 + 512 + 2, true],
  ["the rest is not", undefined, 300 + 1 + 512 + 1, false],
  ["the least root there is", 300, 300 + 1 + 512 + 2, true],
])("room on a disk: %s", (_about, rootSizeMiB, diskMiB, isEnough) => {
  const plan = planPartitions({ arch: "x64", rootSizeMiB, hasBoot: false });
  const check = () => requireRoom(plan, diskMiB * 1024 * 1024);
  if (isEnough) expect(check).not.toThrow();
  else expect(check).toThrow(`the disk has ${diskMiB} MiB`);
});

test("a root that no file system fits in is refused", () => {
  expect(() => planPartitions({ arch: "x64", rootSizeMiB: 299, hasBoot: false })).toThrow(
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
  expect(() => planPartitions({ arch: "riscv64", rootSizeMiB: 1024, hasBoot: false })).toThrow(
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
  expect(() => parseSizeMiB(text)).toThrow("is no size");
});

test("nodes of partitions", () => {
  expect(partitionNode("/dev/sda", 3)).toBe("/dev/sda3");
  expect(partitionNode("/dev/nvme0n1", 3)).toBe("/dev/nvme0n1p3");
});
