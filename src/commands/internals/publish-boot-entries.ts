// `bootc internals publish-boot-entries`: what the unit runs after each change, so that users see it.
import { publishBootEntries } from "../../sysroot/boot-entries.ts";
import type { Context } from "../../system/context.ts";

export async function publishBootEntriesForUsers(ctx: Context): Promise<void> {
  await publishBootEntries(ctx);
}
