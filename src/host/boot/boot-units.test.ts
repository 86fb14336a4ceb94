import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { type BootFacts, decideBootLinks, mendFstab } from "./boot-units.ts";

const OSTREE: BootFacts = {
  isOstreeBooted: true,
  hasSysroot: true,
  hasShadow: true,
  wantsCleanup: false,
  root: { type: "ext4", isReadOnly: false },
  fstab: "",
};

const ANACONDA = "# Created by anaconda on Mon\nUUID=1 / xfs defaults 0 0\n";

const COPY_FOR_USERS = [
  "bootc-status-updated-onboot.target.wants/bootc-publish-boot-entries.service",
  "bootc-status-updated.target.wants/bootc-publish-boot-entries.service",
];

test.each<[string, Partial<BootFacts>, string[]]>([
  [
    "an ostree host",
    {},
    [
      ...COPY_FOR_USERS,
      "multi-user.target.wants/bootc-status-updated-onboot.target",
      "multi-user.target.wants/bootc-status-updated.path",
      "sysinit.target.wants/bootc-sysusers-shadow-sync.service",
    ],
  ],
  ["any other machine", { isOstreeBooted: false }, []],
  [
    "no /sysroot: only what a boot needs",
    { hasSysroot: false },
    ["sysinit.target.wants/bootc-sysusers-shadow-sync.service"],
  ],
  [
    "installed over another system",
    { wantsCleanup: true, hasShadow: false },
    [
      ...COPY_FOR_USERS,
      "multi-user.target.wants/bootc-destructive-cleanup.service",
      "multi-user.target.wants/bootc-status-updated-onboot.target",
      "multi-user.target.wants/bootc-status-updated.path",
    ],
  ],
])("links for %s", (_about, facts, want) => {
  const links = decideBootLinks({ ...OSTREE, ...facts });
  expect(Object.keys(links).sort()).toEqual(want);
});

test.each([
  ["a read-only overlay, installer's fstab", true, ANACONDA, true],
  ["a writable overlay", false, ANACONDA, false],
  ["somebody else's fstab", true, "UUID=1 / xfs defaults 0 0\n", false],
  ["read-only already", true, ANACONDA.replace("defaults", "ro"), false],
  ["mended already", true, `${ANACONDA}# Updated by bootc-fstab-edit.service\n`, false],
])("fstab is mended at boot: %s", (_about, isReadOnly, fstab, want) => {
  const root = { type: "overlay", isReadOnly };
  const links = decideBootLinks({ ...OSTREE, root, fstab });
  expect("local-fs-pre.target.wants/bootc-fstab-edit.service" in links).toBe(want);
});

test("fstab is fixed before the units that its mistake breaks, by the unit of the package", async () => {
  const root = { type: "overlay", isReadOnly: true };
  const links = decideBootLinks({ ...OSTREE, root, fstab: ANACONDA });
  expect(links["local-fs-pre.target.wants/bootc-fstab-edit.service"]).toBe(
    "/usr/lib/systemd/system/bootc-fstab-edit.service",
  );
  const text = await readUnit("bootc-fstab-edit.service");
  const before = [...text.matchAll(/^Before=(.*)$/gm)].flatMap((it) => it[1]?.split(" "));
  expect(before).toEqual(["systemd-remount-fs.service", "local-fs-pre.target", "shutdown.target"]);
  expect(text).toContain("\nDefaultDependencies=no\n");
});

test.each([
  [
    "adds ro and a comment, leaves other lines alone",
    "# c\nUUID=1\t/\txfs\tdefaults,x\t0 0\nUUID=2  /boot  ext4 defaults 1 2\n",
    "# c\n# Updated by bootc-fstab-edit.service\nUUID=1 / xfs defaults,x,ro 0 0\nUUID=2  /boot  ext4 defaults 1 2\n",
  ],
  ["a root that is ro", "UUID=1 / xfs ro 0 0\n", undefined],
  ["no root", "UUID=1 /boot xfs rw 0 0\n", undefined],
  ["`/` commented out", "#UUID=1 / xfs rw 0 0\n", undefined],
])("fstab: %s", (_about, text, want) => {
  expect(mendFstab(text)).toBe(want);
});

test("every unit that the generator links is in the package", async () => {
  const root = { type: "overlay", isReadOnly: true };
  const links = decideBootLinks({ ...OSTREE, root, fstab: ANACONDA, wantsCleanup: true });
  for (const target of Object.values(links)) expect(await readUnit(basename(target))).toMatch(/./);
});

test("no unit that udev waits for waits for a mount", async () => {
  const text = await readUnit("bootc-sysusers-shadow-sync.service");
  expect(text).toContain("Before=systemd-sysusers.service");
  expect([...text.matchAll(/^After=(.*)$/gm)].map((it) => it[1])).toEqual([
    "systemd-remount-fs.service",
  ]);
});

async function readUnit(name: string): Promise<string> {
  const units = join(import.meta.dirname, "../../../packaging/rootfs/usr/lib/systemd/system");
  return await readFile(join(units, name), "utf8");
}
