// `bootc status`: show what this host runs and what it will run next.
import { readHost } from "../deploy/read-host.ts";
import { BootcError, explainError } from "../errors.ts";
import { formatCanonicalJson } from "../format/canonical-json.ts";
import { onlyBooted } from "../host/assemble-host.ts";
import { ENTRIES_READ_AT, type HostDocument } from "../host/document.ts";
import { readHostKind } from "../sysroot/host-kind.ts";
import { publishBootEntries } from "../sysroot/publish-boot-entries.ts";
import type { Context } from "../system/context.ts";
import { readPrivileges } from "../system/privileges.ts";
import { readUpdatesState } from "../updates/machine/state-file.ts";

export interface StatusOptions {
  readonly format?: StatusFormat;
  readonly json?: boolean;
  readonly formatVersion?: string;
  readonly booted?: boolean;
  readonly verbose?: boolean;
}

type StatusFormat = "humanreadable" | "yaml" | "json";

export async function status(ctx: Context, options: StatusOptions): Promise<void> {
  requireFormatVersion(options.formatVersion ?? "1");
  const host = await readHost(ctx);
  noteAge(ctx, host);
  await print(ctx, options.booted === true ? onlyBooted(host) : host, options);
  await publish(ctx);
}

function requireFormatVersion(version: string): void {
  if (version === "0" || version === "1") return;
  throw new BootcError(`Unsupported format version: ${version}`, {
    kind: "usage",
    hint: "use 0 or 1",
  });
}

function noteAge(ctx: Context, host: HostDocument): void {
  const readAt = host.metadata.annotations?.[ENTRIES_READ_AT];
  if (readAt === undefined) return;
  const minutes = Math.max(0, Math.floor((Date.now() - Date.parse(readAt)) / 60_000));
  ctx.note(
    `note: the boot loader's entries are closed to users; shown as of ${readAt}, ${minutes} min ago`,
  );
}

/** As root, publishes the boot entries that users may not read. A failure of this is only noted. */
async function publish(ctx: Context): Promise<void> {
  if ((await readHostKind(ctx)) !== "ostree" || !(await readPrivileges(ctx)).isRoot) return;
  try {
    await publishBootEntries(ctx);
  } catch (error) {
    ctx.note(`note: no copy of the boot entries for users: ${explainError(error)}`);
  }
}

async function print(ctx: Context, host: HostDocument, options: StatusOptions): Promise<void> {
  switch (decideFormat(ctx, options)) {
    case "json":
      return ctx.write(formatCanonicalJson(host));
    case "yaml": {
      const { formatYaml } = await import("../format/yaml-out.ts");
      return ctx.say(formatYaml(host));
    }
    case "humanreadable": {
      const { formatHumanStatus } = await import("../host/human-status.ts");
      ctx.say(formatHumanStatus(host, { isVerbose: options.verbose === true }));
      return await printHealth(ctx);
    }
  }
}

/** What the health gate has found wrong. The schema of the document for programs has no place for it. */
async function printHealth(ctx: Context): Promise<void> {
  const { state } = await readUpdatesState(ctx, Date.now());
  if (state.health === undefined) return;
  const { describeHealth } = await import("../health/describe.ts");
  ctx.say(`\nHealth: ${describeHealth(state.health)}`);
}

/** `--format` takes precedence over everything else. */
export function decideFormat(ctx: Pick<Context, "terminal">, options: StatusOptions): StatusFormat {
  if (options.format !== undefined) return options.format;
  if (options.json === true) return "json";
  return ctx.terminal.isStdoutTerminal ? "humanreadable" : "yaml";
}
