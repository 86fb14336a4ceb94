// Which image replaces the running system: the command line's, or that of $BOOTC_REINSTALL_CONFIG.
import { readFile } from "node:fs/promises";
import { BootcError, doing } from "../errors.ts";
import { parseYaml } from "../format/yaml-in.ts";
import type { Context } from "../system/context.ts";

export interface ReinstallRequest {
  readonly image: string;
  /** Passed on to the image's own bootc. */
  readonly usesComposefs: boolean;
}

/** The file wins over `typed`, which may then be missing. */
export async function readReinstallRequest(
  ctx: Context,
  typed: { readonly image: string | undefined; readonly usesComposefs: boolean },
): Promise<ReinstallRequest> {
  const path = ctx.env.BOOTC_REINSTALL_CONFIG;
  if (path !== undefined && path !== "") {
    const what = `the file \`${path}\` of BOOTC_REINSTALL_CONFIG`;
    const text = await doing("reading the file of BOOTC_REINSTALL_CONFIG", () =>
      readFile(path, "utf8"),
    );
    return requireImage(parseReinstallConfig(what, text));
  }
  if (typed.image === undefined) {
    throw new BootcError("missing required argument 'image'", {
      kind: "usage",
      hint: "see `system-reinstall-bootc --help`",
    });
  }
  return requireImage({ image: typed.image, usesComposefs: typed.usesComposefs });
}

/** Both keys are required, and others are mistakes. */
export function parseReinstallConfig(what: string, text: string): ReinstallRequest {
  const document = parseYaml(what, text);
  const refuse = (problem: string) => new BootcError(`${what} ${problem}`, { kind: "usage" });
  if (document === null || typeof document !== "object" || Array.isArray(document)) {
    throw refuse("is not a mapping");
  }
  const {
    bootc_image: image,
    composefs_backend: usesComposefs,
    ...unknown
  } = document as Record<string, unknown>;
  const [surprise] = Object.keys(unknown);
  if (surprise !== undefined) throw refuse(`has an unknown key, \`${surprise}\``);
  if (typeof image !== "string") throw refuse("lacks `bootc_image`, a string");
  if (typeof usesComposefs !== "boolean") throw refuse("lacks `composefs_backend`, true or false");
  return { image, usesComposefs };
}

/** The name becomes an argument of podman. */
function requireImage(request: ReinstallRequest): ReinstallRequest {
  if (/^[^-\s]\S*$/.test(request.image)) return request;
  throw new BootcError(`\`${request.image}\` is not the name of an image`, {
    kind: "usage",
    hint: "write it as REGISTRY/REPOSITORY:TAG",
  });
}
