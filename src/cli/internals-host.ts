// Hidden commands about the booted host: schemas, the copy of boot entries for users, reboot.
import { type Command, Option } from "commander";
import type { Context } from "../system/context.ts";

export function declareHostInternals(internals: Command, ctx: Context): void {
  internals
    .command("print-json-schema")
    .description("print the JSON schema of the host document or of the progress stream")
    .addOption(
      new Option("--of <document>", "which schema")
        .choices(["host", "progress"])
        .makeOptionMandatory(),
    )
    .addHelpText("after", "\nExamples:\n  bootc internals print-json-schema --of host")
    .action(async (options) => {
      const { printJsonSchema } = await import("../commands/internals/print-json-schema.ts");
      await printJsonSchema(ctx, options);
    });
  internals
    .command("publish-boot-entries")
    .description("leave a copy of the boot loader's entries for users who may not read them")
    .addHelpText("after", "\nExamples:\n  bootc internals publish-boot-entries")
    .action(async () => {
      const { publishBootEntriesForUsers } = await import(
        "../commands/internals/publish-boot-entries.ts"
      );
      await publishBootEntriesForUsers(ctx);
    });
  internals
    .command("reboot")
    .description("reboot this machine")
    .addHelpText("after", "\nExamples:\n  bootc internals reboot")
    .action(async () => {
      const { rebootNow } = await import("../commands/internals/reboot.ts");
      await rebootNow(ctx);
    });
}
