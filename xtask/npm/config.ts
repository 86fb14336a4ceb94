// Reads npm's own configuration, once and only when something is downloaded.
import { BootcError, doing } from "../../src/errors.ts";
import type { Context } from "../../src/system/context.ts";

/** npm's configuration as its libraries take it: registries, proxies, certificates, credentials. */
export type NpmOptions = Readonly<Record<string, unknown>>;

/** Reads the configuration that npm uses in `folder`. */
export async function readNpmOptions(ctx: Context, folder: string): Promise<NpmOptions> {
  const text = await doing("asking npm where its packages come from", () =>
    ctx.read("npm", ["config", "list", "--json"], { cwd: folder }),
  );
  const settings = parseSettings(text);
  const { flatten } = await loadDefinitions();
  return { ...(await readFiles(ctx, folder, settings)), ...flatten(settings) };
}

function parseSettings(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new BootcError("npm printed something other than its configuration", { cause });
  }
}

/** npm does not print credentials, but it names the files that contain them. */
async function readFiles(
  ctx: Context,
  folder: string,
  settings: Readonly<Record<string, unknown>>,
): Promise<NpmOptions> {
  const files = ["userconfig", "globalconfig"].flatMap((it) =>
    typeof settings[it] === "string" ? [[`npm_config_${it}`, settings[it]] as const] : [],
  );
  const { default: Config } = await import("@npmcli/config");
  const config = new Config({
    ...(await loadDefinitions()),
    // Only npm knows its own folder, and it has already printed the settings from there.
    npmPath: folder,
    argv: [],
    env: { ...ctx.env, ...Object.fromEntries(files) },
    cwd: folder,
  });
  await config.load();
  return config.flat;
}

async function loadDefinitions() {
  return (await import("@npmcli/config/lib/definitions/index.js")).default;
}
