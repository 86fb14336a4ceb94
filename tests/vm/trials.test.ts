// Broken images on other machines than that of health.test.ts: with an SELinux policy that is enforced, with a GRUB that
// counts by itself, and with systemd-boot. BOOTC_VM_TRIALS names the machines to try.
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasPolicy, readOwnDenials } from "../../src/testing/denials.ts";
import { withDisk } from "./boot-entry.ts";
import { type Breakage, chosenBreakages, goodImage, prepareImage } from "./health-images.ts";
import {
  ensureGood,
  expectBack,
  expectProved,
  installGrub,
  requireInstalled,
  startUntilOn,
  type TriedMachine,
  UNATTENDED,
  update,
} from "./health-machine.ts";
import {
  type Lab,
  type LabOptions,
  missingForLab,
  nextConsole,
  openLab,
  retag,
  rootOffset,
  type Variant,
} from "./lab.ts";
import { chosenCells } from "./uefi/cells.ts";
import { targetOf } from "./uefi/cut-target.ts";
import { missingForEfi } from "./uefi/firmware.ts";
import { PACKAGES } from "./uefi/installer.ts";

interface Kind {
  readonly name: string;
  readonly about: string;
  readonly lab: Omit<LabOptions, "slot">;
  /** What the trial has to say about the boot loader. */
  readonly loader: string;
  readonly breakages: readonly Breakage[];
  /** How often the machine starts until it is back from an image without a kernel that runs. */
  readonly startsOfPanic: number;
  /** Succeeds and prints nothing if the boot loader can be asked, and knows of no trial. */
  readonly leftovers: string;
  install(lab: Lab): Promise<Pick<TriedMachine, "describe" | "disk">>;
}

/**
 * The menu of Fedora and greenboot: `boot_counter` is counted down while `boot_success` is 0. Debian's GRUB has no
 * command that subtracts.
 */
const COUNTING = `if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ -n "\${boot_counter}" -a "\${boot_success}" = "0" ]; then
  if [ "\${boot_counter}" = "2" ]; then
    set boot_counter=1
  elif [ "\${boot_counter}" = "1" ]; then
    set boot_counter=0
  else
    set default=1
    set boot_counter=-1
  fi
  save_env boot_counter
fi
set boot_success=0
save_env boot_success
`;

const KINDS: readonly Kind[] = [
  {
    name: "enforcing",
    about: "GRUB and an enforced SELinux policy",
    lab: { isEnforcing: true },
    loader: "grub-once",
    breakages: chosenBreakages("unit,panic,mount"),
    startsOfPanic: 2,
    leftovers: "grub-editenv /boot/grub/grubenv list",
    install: installWithGrub,
  },
  {
    name: "counter",
    about: "a GRUB that counts",
    lab: {},
    loader: "grub-counter",
    breakages: chosenBreakages("unit,panic"),
    startsOfPanic: 3,
    leftovers: 'list=$(grub-editenv /boot/grub/grubenv list) && ! echo "$list" | grep boot_counter',
    install: installWithCounter,
  },
  {
    name: "systemd-boot",
    about: "systemd-boot",
    lab: { packages: PACKAGES },
    loader: "systemd-boot-once",
    breakages: chosenBreakages("unit,panic"),
    startsOfPanic: 2,
    // Where the variables are not mounted, that of the boot loader's name is missing as well.
    leftovers:
      'list=$(ls /sys/firmware/efi/efivars) && echo "$list" | grep --quiet ^LoaderInfo- &&' +
      ' ! echo "$list" | grep -e EntryOneShot -e EntryDefault',
    install: installWithSystemdBoot,
  },
];

const missingLab = await missingForLab();
const missingEfi = missingLab ?? (await missingForEfi());
const missingFor = ({ name }: Kind) => (name === "systemd-boot" ? missingEfi : missingLab);
const titleOf = (kind: Kind) => {
  const missing = missingFor(kind);
  return `broken images with ${kind.about}${missing === undefined ? "" : ` (${missing})`}`;
};
const names = process.env.BOOTC_VM_TRIALS?.split(",");
const kinds = KINDS.filter((it) => names?.includes(it.name) ?? true);
if (kinds.length === 0) throw new Error(`machines: ${KINDS.map((it) => it.name).join(", ")}`);

const limit = { timeout: 5_400_000 };

for (const kind of kinds) {
  describe.skipIf(missingFor(kind) !== undefined)(titleOf(kind), () => testKind(kind));
}

function testKind(kind: Kind): void {
  let lab: Lab | undefined;
  let tried: TriedMachine | undefined;
  const needTried = () => requireInstalled(tried);

  beforeAll(async () => {
    lab = await openLab(`trials-${kind.name}`, { slot: 6, ...kind.lab });
    await prepareImage(lab, "good", unattended(goodImage()));
    await retag(lab, "good", "latest");
    const start = { ...(await kind.install(lab)), lab, consoles: [] };
    const { machine } = await startUntilOn(start, { tag: "good", name: `${kind.name}-install` });
    tried = { ...start, current: machine };
  }, 3_600_000);

  afterAll(async () => {
    await tried?.current.cut();
    await lab?.close();
  });

  test.each(kind.breakages)("$about: back on the old system", limit, async (breakage) => {
    const image = unattended(breakage.image);
    const { starts } = await expectBack(needTried(), { ...breakage, image }, kind.loader);
    expect(starts).toBe(breakage.name === "panic" ? kind.startsOfPanic : 2);
    expect(await needTried().current.must(kind.leftovers)).toBe("");
  });

  test("a good image proves itself", limit, async () => {
    const host = needTried();
    await ensureGood(host);
    await update(host, "better", unattended(goodImage()));
    const { machine, starts } = await startUntilOn(host, { tag: "better", name: "better" });
    host.current = machine;
    expect(starts).toBe(1);
    await expectProved(machine);
    expect(await machine.must(kind.leftovers)).toBe("");
  });

  if (kind.lab.isEnforcing === true) {
    test("SELinux denied nothing to bootc, and nobody access to its files", async () => {
      const { current, consoles } = needTried();
      expect(await current.must("cat /sys/fs/selinux/enforce")).toBe("1");
      const logs = await Promise.all(consoles.map((it) => readFile(it, "utf8")));
      // A kernel whose initramfs is damaged panics before a policy could be loaded.
      const booted = logs.filter((it) => hasPolicy(it) || !/Kernel panic - not syncing/.test(it));
      expect(booted.length).toBeGreaterThan(0);
      expect(booted.flatMap(readOwnDenials).map((it) => it.line)).toEqual([]);
    });
  }
}

/** The image, on whose machine nobody has to be at the console. */
function unattended(image: Variant): Variant {
  const kargs = `kargs = ${JSON.stringify(UNATTENDED)}\n`;
  return { ...image, files: { ...image.files, "usr/lib/bootc/kargs.d/10-unattended.toml": kargs } };
}

async function installWithGrub(lab: Lab) {
  const path = join(lab.dir, "trials.raw");
  const disk = await installGrub(lab, path, []);
  const describeBoot = (name: string) => ({ workDir: lab.dir, name: nextConsole(name), disk });
  return { describe: describeBoot, disk: path };
}

async function installWithCounter(lab: Lab) {
  const installed = await installWithGrub(lab);
  const offset = await rootOffset(installed.disk);
  await withDisk(installed.disk, { offset, readOnly: false }, async (dir) => {
    const path = join(dir, "boot/grub/grub.cfg");
    const lines = (await readFile(path, "utf8")).split("\n");
    const menu = lines.slice(0, lines.findIndex((it) => it.startsWith("syslinux_source")) + 1);
    if (menu.length === 0) throw new Error("the menu is not as expected");
    await writeFile(path, `${menu.join("\n")}\n${COUNTING}`);
  });
  return installed;
}

/** A running system installs it, because this machine may have no FAT. */
async function installWithSystemdBoot(lab: Lab) {
  const [cell] = chosenCells("systemd-ext4");
  if (cell === undefined) throw new Error("the cell systemd-ext4 is missing");
  const target = targetOf(cell);
  await target.install(lab);
  const describeCut = await target.describe(lab);
  const describeBoot = async (name: string) => {
    const boot = await describeCut(name);
    return { ...boot, disk: { ...boot.disk, losesUnflushed: false } };
  };
  return { describe: describeBoot, disk: join(lab.dir, `${cell.name}.raw`) };
}
