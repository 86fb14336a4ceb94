// Where packages come from: npm's own configuration, asked once and only when something is downloaded.
import { BootcError, doing } from "../../src/errors.ts";
import type { Context } from "../../src/system/context.ts";

/** npm's configuration in the form its libraries take: registries, proxies, certificates, credentials. */
export type NpmOptions = Readonly<Record<string, unknown>>;

/** Reads npm's configuration as it holds in `folder`. */
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
    throw new BootcError("npm printed something else than its configuration", { cause });
  }
}

/** npm does not print credentials, but names the files that hold them. */
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
    // Only npm knows where npm is, and it has printed what its folder configures.
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
