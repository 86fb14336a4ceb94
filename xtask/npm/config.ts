// Where packages come from: npm's own configuration, asked once and only when something is downloaded.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing, errnoOf } from "../../src/errors.ts";
import type { Context } from "../../src/system/context.ts";

export interface NpmConfig {
  /** What `npm config list --json` printed. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Credentials, by the registry's address without its scheme, as .npmrc files name them. */
  readonly credentials: Readonly<Record<string, string>>;
}

/** Reads npm's configuration as it holds in `folder`, with the credentials npm does not print. */
export async function readNpmConfig(ctx: Context, folder: string): Promise<NpmConfig> {
  const text = await doing("asking npm where its packages come from", () =>
    ctx.read("npm", ["config", "list", "--json"], { cwd: folder }),
  );
  const settings = parseSettings(text);
  const files = [settings.globalconfig, settings.userconfig, join(folder, ".npmrc")];
  const texts = await Promise.all(files.map((it) => readIfThere(String(it))));
  const credentials = texts.map((it) => parseCredentials(it, ctx.env));
  return { settings, credentials: Object.assign({}, ...credentials) };
}

function parseSettings(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch (cause) {
    throw new BootcError("npm printed something else than its configuration", { cause });
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return "";
    throw error;
  }
}

/** The Authorization headers of an .npmrc, by registry; `${NAME}` stands for a variable. */
export function parseCredentials(
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string>> {
  const lines = text.matchAll(/^\s*(\/\/[^\s=]+?):(_authToken|_auth)\s*=\s*"?([^"\s]+)"?\s*$/gm);
  return Object.fromEntries(
    [...lines].map(([, registry = "", key, raw = ""]) => {
      const value = raw.replace(/\$\{([^}]+)\}/g, (_, name: string) => env[name] ?? "");
      return [registry, `${key === "_authToken" ? "Bearer" : "Basic"} ${value}`];
    }),
  );
}

/** The tarball's address at the registry that is configured for the package's scope. */
export function formatTarballUrl(config: NpmConfig, name: string, version: string): string {
  const [scope = "", base = name] = name.startsWith("@") ? name.split("/") : ["", name];
  const registry = config.settings[`${scope}:registry`] ?? config.settings.registry;
  if (typeof registry !== "string" || registry === "")
    throw new BootcError("npm has no registry configured", {
      hint: "set one with `npm config set registry URL`",
    });
  return `${registry.replace(/\/*$/, "")}/${name}/-/${base}-${version}.tgz`;
}

/** The credentials for `url`: those of the longest address it begins with. */
export function decideCredentials(config: NpmConfig, url: string): string | undefined {
  const bare = url.replace(/^https?:/, "");
  const [best] = Object.keys(config.credentials)
    .filter((it) => bare.startsWith(it.endsWith("/") ? it : `${it}/`))
    .sort((a, b) => b.length - a.length);
  return best === undefined ? undefined : config.credentials[best];
}
