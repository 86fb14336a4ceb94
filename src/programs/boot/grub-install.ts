// Installs GRUB without bootupd, inside a deployment. GRUB as Debian and others ship it cannot read boot
// entries, but it can read the menu that ostree keeps for extlinux. ostree replaces both at once.
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { exists, makeDirectories, readFileIfAny, replaceFile } from "../../system/files.ts";
import { tryRegister } from "./firmware-entry.ts";

const PROGRAMS = ["/usr/sbin/grub-install", "/usr/sbin/grub2-install", "/usr/bin/grub-install"];

/** What starts GRUB: a BIOS or EFI. The names are those of GRUB's targets. */
const PLATFORMS = ["i386-pc", "x86_64-efi"] as const;
export type GrubPlatform = (typeof PLATFORMS)[number];

export interface FoundGrub {
  /** The path of grub-install in the image. */
  readonly program: string;
  readonly platforms: readonly GrubPlatform[];
}

/** The image's GRUB; undefined if the image has none that can read the menu. */
export async function detectGrub(
  has: (path: string) => Promise<boolean>,
  arch: string,
): Promise<FoundGrub | undefined> {
  if (arch !== "x64") return undefined;
  const platforms: GrubPlatform[] = [];
  for (const platform of PLATFORMS) {
    if (await has(`/usr/lib/grub/${platform}/syslinuxcfg.mod`)) platforms.push(platform);
  }
  if (platforms.length === 0) return undefined;
  for (const program of PROGRAMS) if (await has(program)) return { program, platforms };
  return undefined;
}

/** The first menu. ostree replaces the menu, but only if there is one. */
const FIRST_MENU = "PROMPT 0\nTIMEOUT 10\n";

/** /usr/lib/bootc/health sets and removes the variable, if it finds its name here. */
const TRY_ONCE = `# A new system is tried once. Until it has proved itself, the one before is the default.
if [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "\${bootc_try}" = "1" ]; then
  set bootc_try=0
  save_env bootc_try
  set default=0
elif [ "\${bootc_try}" = "0" ]; then
  set default=1
fi
`;

const GRUB_CONFIG = `# Written once by bootc: the menu itself is what ostree writes for extlinux.
set timeout=1
set default=0
if serial --unit=0; then
  terminal_input console serial
  terminal_output console serial
fi
insmod syslinuxcfg
syslinux_source -s -r / /boot/loader/syslinux.cfg
${TRY_ONCE}`;

/** Makes ostree keep a menu of the deployments in `physicalRoot`. Call it before the first deployment. */
export async function prepareGrubMenu(ctx: Context, physicalRoot: string): Promise<void> {
  const repo = join(physicalRoot, "ostree/repo");
  await ctx.run("ostree", ["config", `--repo=${repo}`, "set", "sysroot.bootloader", "syslinux"]);
  const boot = join(physicalRoot, "boot");
  const link = join(boot, "syslinux/syslinux.cfg");
  if (await exists(link)) return;
  await makeDirectories(join(boot, "syslinux"));
  await symlink("../loader/syslinux.cfg", link);
  if (!(await exists(join(boot, "loader")))) {
    await makeDirectories(join(boot, "loader.0"));
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

export interface GrubRequest extends FoundGrub {
  readonly disk: string | undefined;
  readonly physicalRoot: string;
  /** Whether another machine will boot the disk; firmware variables are then not changed. */
  readonly isGeneric: boolean;
}

/** Installs GRUB. The deployment's /boot must be that of the physical root, with the ESP at /boot/efi. */
export async function installPlainGrub(
  ctx: Context,
  deployment: string,
  request: GrubRequest,
): Promise<void> {
  const { program, platforms, physicalRoot } = request;
  ctx.note("Installing GRUB of the image, without bootupd");
  const dir = join(physicalRoot, "boot", program.includes("grub2") ? "grub2" : "grub");
  await makeDirectories(dir);
  await replaceFile(join(dir, "grub.cfg"), GRUB_CONFIG);
  const install = async (platform: GrubPlatform, args: readonly string[]) => {
    const common = [`--target=${platform}`, "--boot-directory=/boot"];
    await ctx.run("chroot", [deployment, program, ...common, ...args], { isQuiet: true });
  };
  if (platforms.includes("i386-pc")) await install("i386-pc", [requireGrubDisk(request.disk)]);
  if (!platforms.includes("x86_64-efi")) return;
  const efi = ["--efi-directory=/boot/efi"];
  // Every firmware finds this path by itself, even when its variables are lost.
  await install("x86_64-efi", [...efi, "--removable"]);
  if (request.isGeneric) return;
  await tryRegister(ctx, { deployment, loader: "GRUB" }, async () => {
    const id = await readDistribution(deployment);
    await install("x86_64-efi", [...efi, `--bootloader-id=${id}`]);
  });
}

/** The name of the firmware's boot entry, and of its directory on the ESP. */
async function readDistribution(deployment: string): Promise<string> {
  const text = (await readFileIfAny(join(deployment, "usr/lib/os-release"))) ?? "";
  return /^ID="?([a-z0-9._-]+)"?$/m.exec(text)?.[1] ?? "bootc";
}
