// rpm: which files belong to packages.
import { copyFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { doing } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { withWorkDirectory } from "../system/work-directory.ts";

/**
 * The paths of all files of all packages in the database at `dir`. It is copied first: even a query of rpm's
 * writes beside a database in SQLite.
 */
export async function readRpmFiles(ctx: Context, dir: string): Promise<readonly string[]> {
  return await withWorkDirectory(ctx, "rpmdb", async (copy) => {
    for (const it of await readdir(dir, { withFileTypes: true })) {
      if (it.isFile()) await copyFile(join(dir, it.name), join(copy, it.name));
    }
    const args = [`--dbpath=${copy}`, "--query", "--all", "--list"];
    return await doing("reading the package database", async () =>
      parseRpmFiles(await ctx.read("rpm", args)),
    );
  });
}

/** Paths a line each; packages without files say so in words. */
export function parseRpmFiles(text: string): readonly string[] {
  return text.split("\n").filter((it) => it.startsWith("/"));
}
