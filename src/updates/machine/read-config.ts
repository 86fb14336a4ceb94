// Reads the configuration of updates: what the image brings, and what this machine has of its own.
import { join } from "node:path";
import { BootcError, describeError } from "../../errors.ts";
import type { Context } from "../../system/context.ts";
import { readLinkIfAny, readNamesIfAny, readRegularFile } from "../../system/files.ts";
import { type MergedSettings, mergeConfig, type UpdatesFile } from "../config/merge.ts";

/** In order of rank: the machine's own files replace those of the image. */
export const CONFIG_DIRECTORIES = ["/usr/lib/bootc/updates.d", "/etc/bootc/updates.d"] as const;

/** The settings of this machine. Files that cannot be read are among the mistakes. */
export async function readUpdatesConfig(ctx: Context): Promise<MergedSettings> {
  const unreadable: string[] = [];
  const directories = await Promise.all(
    CONFIG_DIRECTORIES.map((dir) => readDirectory(ctx, dir, unreadable)),
  );
  const merged = mergeConfig(directories);
  return { ...merged, mistakes: [...unreadable, ...merged.mistakes] };
}

async function readDirectory(
  ctx: Context,
  dir: string,
  unreadable: string[],
): Promise<readonly UpdatesFile[]> {
  const note = (path: string, error: unknown) =>
    void unreadable.push(`\`${path}\` cannot be read: ${describeError(error).message}`);
  const names = await readNamesIfAny(join(ctx.root, dir)).catch((error: unknown) => {
    note(dir, error);
    return [];
  });
  const files = names
    .filter((it) => it.endsWith(".toml"))
    .map(async (name) => {
      const path = `${dir}/${name}`;
      try {
        // A link to /dev/null reads as an empty file, which masks the image's.
        return { path, text: (await readRegularFile(join(ctx.root, path))) ?? "" };
      } catch (error) {
        note(path, error);
        return undefined;
      }
    });
  return (await Promise.all(files)).filter((it) => it !== undefined);
}

/** The settings, or one error with all mistakes. */
export function requireRightConfig(merged: MergedSettings): void {
  const [first, ...others] = merged.mistakes;
  if (first === undefined) return;
  const more = others.map((it) => `; ${it}`).join("");
  throw new BootcError(`the configuration of updates has mistakes: ${first}${more}`, {
    hint: "nothing is updated automatically until they are corrected",
  });
}

/** The name of this machine's time zone; UTC if /etc/localtime does not say. */
export async function readTimeZone(ctx: Context): Promise<string> {
  const target = await readLinkIfAny(join(ctx.root, "etc/localtime"));
  const name = /zoneinfo\/(.+)$/.exec(target ?? "")?.[1] ?? "UTC";
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return name;
  } catch (error) {
    if (error instanceof RangeError) return "UTC";
    throw error;
  }
}
