// package.json of this checkout: one reader, whose errors name the file.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, messageOf } from "../../src/errors.ts";

/** What the tasks read of it; the vendoring reads its own part, also of other projects. */
export interface PackageJson {
  /** Empty when it states none; whoever needs one says that it is not one of ours. */
  readonly version: string;
  readonly license?: string;
  readonly homepage?: string;
  readonly repository?: { readonly url?: string };
  readonly rpm?: {
    readonly buildRequires?: readonly string[];
    readonly requires?: Readonly<Record<string, string>>;
    readonly recommends?: Readonly<Record<string, string>>;
  };
}

export async function readPackageJson(top: string): Promise<PackageJson> {
  const value = parse(await readFile(join(top, "package.json"), "utf8"));
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new BootcError("package.json is not an object");
  }
  const version = "version" in value && typeof value.version === "string" ? value.version : "";
  return { ...value, version };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = messageOf(cause);
    throw new BootcError("package.json is not JSON", { cause: new BootcError(reason) });
  }
}
