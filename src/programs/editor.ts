// Starts the user's editor, or the first one that is installed.
import { join } from "node:path";
import { BootcError } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { exists } from "../system/files.ts";

const FALLBACKS = ["nano", "vim", "vi"];

/** Lets the user edit the file at `path`; returns when the editor is closed. */
export async function editFile(ctx: Context, path: string): Promise<void> {
  const [program = "", ...args] = await findEditor(ctx);
  await ctx.run(program, [...args, path], { isInteractive: true, keepsLocale: true });
}

async function findEditor(ctx: Context): Promise<readonly string[]> {
  const words = (ctx.env.EDITOR ?? "").split(/\s+/).filter((it) => it !== "");
  if (words.length > 0) return words;
  for (const name of FALLBACKS) {
    const path = `/usr/bin/${name}`;
    if (await exists(join(ctx.root, path))) return [path];
  }
  throw new BootcError("$EDITOR is unset, and no backup editor found", {
    kind: "unsupported",
    hint: "set EDITOR, or use --filename",
  });
}
