// Internal commands that our systemd units and generator call at boot.
import type { Command } from "commander";
import type { Context } from "../system/context.ts";

export function declareBootInternals(internals: Command, ctx: Context): void {
  internals
    .command("systemd-generator")
    .description("add our units to this boot where the machine needs them")
    .argument("<normal>", "directory for generated units")
    .argument("[early]", "directory of higher priority; unused")
    .argument("[late]", "directory of lower priority; unused")
    .action(async (dir: string) => {
      const { systemdGenerator } = await import("../commands/internals/systemd-generator.ts");
      await systemdGenerator(ctx, dir);
    });
  internals
    .command("fixup-etc-fstab")
    .description("mount `/` read-only in /etc/fstab where an installer wrote it otherwise")
    .action(async () => {
      const { fixupEtcFstab } = await import("../commands/internals/fixup-etc-fstab.ts");
      await fixupEtcFstab(ctx);
    });
  internals
    .command("sysusers-sync")
    .description("remove shadow entries of users that exist nowhere any more")
    .action(async () => {
      const { sysusersSync } = await import("../commands/internals/sysusers-sync.ts");
      await sysusersSync(ctx);
    });
  internals
    .command("bootc-install-completion")
    .description("add kernel arguments of configuration and image to a new deployment")
    .argument("<sysroot>", "where the physical root is mounted")
    .argument("<stateroot>", "the stateroot of the deployment")
    .action(async (sysroot: string, stateroot: string) => {
      const command = await import("../commands/internals/install-completion.ts");
      await command.installCompletion(ctx, sysroot, stateroot);
    });
}
