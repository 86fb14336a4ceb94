// skopeo takes an image of ours to where it belongs: a storage, a directory, a registry.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { BootcError } from "../../errors.ts";
import { formatSkopeoName, type ImageReference } from "../../image/reference.ts";
import type { Context } from "../../system/context.ts";
import { failureOf } from "../../system/run.ts";
import { parseSkopeoFailure } from "./errors.ts";
import { LAYOUT_IMAGE, type RegistryAccess, registryArgs } from "./skopeo.ts";

export interface Delivery {
  /** The layout whose image `image` is copied. */
  readonly layoutDir: string;
  readonly target: ImageReference;
  readonly access: RegistryAccess;
}

/** Copies the image; the digest of its manifest there. */
export async function deliverLayout(ctx: Context, delivery: Delivery): Promise<string> {
  const { layoutDir } = delivery;
  const from = { dir: layoutDir, source: `oci:${layoutDir}:${LAYOUT_IMAGE}`, words: [] };
  return await deliver(ctx, from, delivery);
}

/**
 * Copies what skopeo calls a directory: manifests exactly as they are, all of an index. Layers that the
 * registry has need not be in it.
 */
export async function deliverDirectory(
  ctx: Context,
  delivery: { readonly dir: string } & Pick<Delivery, "target" | "access">,
): Promise<string> {
  const { dir } = delivery;
  const words = ["--preserve-digests", "--all"];
  return await deliver(ctx, { dir, source: `dir:${dir}`, words }, delivery);
}

interface DeliverySource {
  /** Where skopeo may write the digest. */
  readonly dir: string;
  readonly source: string;
  readonly words: readonly string[];
}

async function deliver(
  ctx: Context,
  { dir, source, words }: DeliverySource,
  { target, access }: Pick<Delivery, "target" | "access">,
): Promise<string> {
  const digestFile = join(dir, "delivered");
  const args = [
    ...["--insecure-policy", "copy", "--quiet", ...words, `--digestfile=${digestFile}`],
    ...registryArgs(access, "dest-"),
    ...[source, formatSkopeoName(target)],
  ];
  try {
    await ctx.run("skopeo", args, { isQuiet: true, endsWithUs: true });
  } catch (error) {
    throw explainDelivery(error, target);
  }
  return (await readFile(digestFile, "utf8")).trim();
}

function explainDelivery(error: unknown, target: ImageReference): unknown {
  const failure = failureOf(error);
  if (failure === undefined || failure.stderr === "") return error;
  const { kind, reason, hint } = parseSkopeoFailure(failure.stderr);
  const name = formatSkopeoName(target);
  return new BootcError(`skopeo cannot write \`${name}\`: ${reason}`, {
    kind,
    ...(kind === "authentication"
      ? { hint: "`podman login` makes the credentials for --authfile" }
      : hint !== undefined && { hint }),
  });
}
