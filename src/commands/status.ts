// `bootc status`: where this host stands.
import { BootcError } from "../errors.ts";
import { formatCanonicalJson } from "../host/canonical-json.ts";
import { DEFAULT_HOST, type HostDocument } from "../host/document.ts";
import type { Context } from "../system/context.ts";

export interface StatusOptions {
  readonly format?: "humanreadable" | "yaml" | "json";
  readonly json?: boolean;
  readonly formatVersion?: string;
  readonly booted?: boolean;
  readonly verbose?: boolean;
}

export async function status(ctx: Context, options: StatusOptions): Promise<void> {
  requireFormatVersion(options.formatVersion ?? "0");
  const host = DEFAULT_HOST;
  await print(ctx, host, decideFormat(ctx, options));
}

function requireFormatVersion(version: string): void {
  if (version === "0" || version === "1") return;
  throw new BootcError(`Unsupported format version: ${version}`, { hint: "use 0 or 1" });
}

function decideFormat(ctx: Context, options: StatusOptions): "humanreadable" | "yaml" | "json" {
  if (options.format !== undefined) return options.format;
  if (options.json === true) return "json";
  return ctx.terminal.isStdoutTerminal ? "humanreadable" : "yaml";
}

async function print(
  ctx: Context,
  host: HostDocument,
  format: "humanreadable" | "yaml" | "json",
): Promise<void> {
  switch (format) {
    case "json":
      return ctx.say(formatCanonicalJson(host));
    case "yaml":
      return ctx.say((await import("yaml")).stringify(host).trimEnd());
    case "humanreadable":
      return ctx.say("System is not deployed via bootc.");
  }
}
