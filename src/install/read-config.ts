// Reads the install configuration from four directories; later ones mask earlier ones.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { doing } from "../errors.ts";
import type { Context } from "../system/context.ts";
import { ifAbsent, readRegularFile } from "../system/files.ts";
import { type ConfigFile, type InstallConfig, mergeInstallConfig } from "./plan/install-config.ts";

const DIRS = ["usr/lib", "usr/local/lib", "etc", "run"];

/** Undefined if nothing is configured. */
export async function readInstallConfig(ctx: Context): Promise<InstallConfig | undefined> {
  return await doing("reading the install configuration", async () => {
    const files = new Map<string, ConfigFile>();
    for (const dir of DIRS) {
      for (const [name, file] of await readConfigDir(ctx, `${dir}/bootc/install`)) {
        files.set(name, file);
      }
    }
    const sorted = [...files].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    // An empty file, or a link to /dev/null, disables the file of the same name.
    const used = sorted.map(([, file]) => file).filter((it) => it.text !== "");
    const { config, warnings } = mergeInstallConfig(used, process.arch);
    for (const warning of warnings) ctx.note(warning);
    return config;
  });
}

async function readConfigDir(
  ctx: Context,
  dir: string,
): Promise<readonly (readonly [string, ConfigFile])[]> {
  const names = await readdir(join(ctx.root, dir)).catch(ifAbsent([]));
  const wanted = names.filter((it) => it.endsWith(".toml"));
  const files = await Promise.all(
    wanted.map(async (name) => {
      const path = `/${dir}/${name}`;
      return { name, path, text: await readRegularFile(join(ctx.root, path)) };
    }),
  );
  return files.flatMap(({ name, path, text }) =>
    text === undefined ? [] : [[name, { path, text }] as const],
  );
}
