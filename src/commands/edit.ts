// `bootc edit`: change what this host should run by editing its document.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DeployFlags, deploySettingsOf, lockTimeoutOf } from "../cli/options.ts";
import { completeUnchanged, deployImage, requireBooted } from "../deploy/deploy-image.ts";
import { answerInJson, quietFor } from "../deploy/json-answer.ts";
import { prepareForWrite, withHostLock } from "../deploy/prepare-write.ts";
import { queueRollback } from "../deploy/queue-rollback.ts";
import { BootcError } from "../errors.ts";
import { parseYaml } from "../format/yaml-in.ts";
import { formatYaml } from "../format/yaml-out.ts";
import { assembleHost } from "../host/assemble-host.ts";
import type { HostDocument } from "../host/document.ts";
import { decideEdit, parseHostSpec } from "../host/switch.ts";
import { editFile } from "../programs/editor.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";

export interface EditOptions extends Omit<DeployFlags, "progressFd"> {
  readonly filename?: string;
}

export async function edit(ctx: Context, options: EditOptions): Promise<void> {
  await prepareForWrite(ctx);
  // The editor may stay open for a long time; others must not have to wait for it, so no lock is held yet.
  const shown = assembleHost(await readSysroot(ctx));
  const text =
    options.filename === undefined ? await askEditor(ctx, shown) : await readSpec(options.filename);
  const wanted = parseHostSpec(parseYaml("the host document", text));
  const quiet = quietFor(ctx, options);
  const timeoutMs = lockTimeoutOf(options);
  const lock = { purpose: "editing", timeoutMs, removesSuperseded: true };
  await withHostLock(quiet, lock, async () => {
    const sysroot = await readSysroot(ctx);
    const host = assembleHost(sysroot);
    const decision = decideEdit(host, wanted);
    switch (decision.kind) {
      case "unchanged":
        quiet.say("Edit cancelled, no changes made.");
        // A killed run may have staged just this, and done nothing else.
        if (host.status.staged !== null) {
          await completeUnchanged(quiet, host.status.staged, timeoutMs);
        }
        return;
      case "rollback":
        await queueRollback(quiet);
        return;
      case "image": {
        const request = { reference: decision.image, booted: requireBooted(sysroot) };
        await deployImage(quiet, { ...request, settings: deploySettingsOf(options) }, {});
      }
    }
  });
  await answerInJson(ctx, options);
}

async function readSpec(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new BootcError(`the document \`${path}\` cannot be read`, { kind: "usage", cause });
  }
}

async function askEditor(ctx: Context, host: HostDocument): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "bootc-edit-"));
  try {
    const path = join(dir, "host.yaml");
    await writeFile(path, `${formatYaml(host)}\n`);
    await editFile(ctx, path);
    return await readFile(path, "utf8");
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
