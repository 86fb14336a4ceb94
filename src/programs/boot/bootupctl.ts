// bootupctl, run inside a deployment: installs the image's boot loader on the machine.
import { BootcError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";

const PROGRAMS = ["/usr/bin/bootupctl", "/usr/sbin/bootupctl"];

/** The path of the image's bootupctl, if the image has both the program and something to install. */
export async function detectBootupd(
  has: (path: string) => Promise<boolean>,
): Promise<string | undefined> {
  if (!(await has("/usr/lib/bootupd/updates"))) return undefined;
  for (const program of PROGRAMS) if (await has(program)) return program;
  return undefined;
}

export interface BootupdRequest {
  /** The path in the deployment. */
  readonly program: string;
  readonly disk: string | undefined;
  /** Whether another machine will boot the disk; firmware variables are then not changed. */
  readonly isGeneric: boolean;
  readonly writesUuid: boolean;
  readonly isVerbose: boolean;
}

export async function installWithBootupd(
  ctx: Context,
  deployment: string,
  request: BootupdRequest,
): Promise<void> {
  ctx.note("Installing bootloader via bootupd");
  const program = [deployment, request.program, "backend", "install"];
  const help = await ctx.read("chroot", [...program, "--help"]);
  await ctx.run("chroot", [
    ...program,
    request.writesUuid ? "--write-uuid" : "--with-static-configs",
    ...(request.isVerbose ? ["-vvvv"] : []),
    ...(request.isGeneric ? [] : ["--update-firmware", "--auto"]),
    ...whereTo(help, request.disk),
    "/",
  ]);
}

/** Older versions need the disk; newer ones find the disks below a file system. */
function whereTo(help: string, disk: string | undefined): readonly string[] {
  if (help.includes("--filesystem")) return ["--filesystem", "/sysroot"];
  if (disk !== undefined) return ["--device", disk];
  throw new BootcError("this version of bootupd needs exactly one disk below the root", {
    kind: "unsupported",
    hint: "use an image with a newer bootupd, or install with `--bootloader none`",
  });
}
