// Installs GRUB without bootupd, inside a deployment. GRUB as Debian and others ship it cannot read boot
// entries, but it can read the menu that ostree keeps for extlinux. ostree replaces both at once.
import { mkdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { exists, replaceFile } from "../../system/files.ts";

const PROGRAMS = ["/usr/sbin/grub-install", "/usr/sbin/grub2-install", "/usr/bin/grub-install"];

/** The path of the image's grub-install, if the image has GRUB for machines with a BIOS. */
export async function detectGrub(
  has: (path: string) => Promise<boolean>,
  arch: string,
): Promise<string | undefined> {
  if (arch !== "x64" || !(await has("/usr/lib/grub/i386-pc/syslinuxcfg.mod"))) return undefined;
  for (const program of PROGRAMS) if (await has(program)) return program;
  return undefined;
}

/** The first menu. ostree replaces the menu, but only if there is one. */
const FIRST_MENU = "PROMPT 0\nTIMEOUT 10\n";

const GRUB_CONFIG = `# Written once by bootc: the menu itself is what ostree writes for extlinux.
set timeout=1
set default=0
if serial --unit=0; then
  terminal_input console serial
  terminal_output console serial
fi
insmod syslinuxcfg
syslinux_source -s -r / /boot/loader/syslinux.cfg
`;

/** Makes ostree keep a menu of the deployments in `physicalRoot`. Call it before the first deployment. */
export async function prepareGrubMenu(ctx: Context, physicalRoot: string): Promise<void> {
  const repo = join(physicalRoot, "ostree/repo");
  await ctx.run("ostree", ["config", `--repo=${repo}`, "set", "sysroot.bootloader", "syslinux"]);
  const boot = join(physicalRoot, "boot");
  const link = join(boot, "syslinux/syslinux.cfg");
  if (await exists(link)) return;
  await mkdir(join(boot, "syslinux"), { recursive: true });
  await symlink("../loader/syslinux.cfg", link);
  if (!(await exists(join(boot, "loader")))) {
    await mkdir(join(boot, "loader.0"), { recursive: true });
    await symlink("loader.0", join(boot, "loader"));
  }
  await replaceFile(join(boot, "loader/syslinux.cfg"), FIRST_MENU);
}

/** Requires a disk, because GRUB for a BIOS is on the disk itself, before the partitions. */
export function requireGrubDisk(disk: string | undefined): string {
  if (disk !== undefined) return disk;
  throw new BootcError("GRUB needs exactly one disk below the root", {
    kind: "unsupported",
    hint: "install with `--bootloader none`",
  });
}

export interface GrubRequest {
  /** The path in the deployment. */
  readonly program: string;
  readonly disk: string | undefined;
  readonly physicalRoot: string;
}

/** Installs GRUB on the disk. The deployment's /boot must be that of the physical root. */
export async function installPlainGrub(
  ctx: Context,
  deployment: string,
  { program, disk, physicalRoot }: GrubRequest,
): Promise<void> {
  const device = requireGrubDisk(disk);
  ctx.note("Installing GRUB of the image, without bootupd");
  const dir = join(physicalRoot, "boot", program.includes("grub2") ? "grub2" : "grub");
  await mkdir(dir, { recursive: true });
  await replaceFile(join(dir, "grub.cfg"), GRUB_CONFIG);
  const args = ["--target=i386-pc", "--boot-directory=/boot", device];
  await ctx.run("chroot", [deployment, program, ...args], { isQuiet: true });
}
