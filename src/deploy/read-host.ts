// The host document of this machine.
import { assembleHost } from "../host/assemble-host.ts";
import { DEFAULT_HOST, type HostDocument } from "../host/document.ts";
import { readHostKind } from "../sysroot/host-kind.ts";
import { readSysroot } from "../sysroot/sysroot.ts";
import type { Context } from "../system/context.ts";

/** The state of this host; the default document in a container and on other kinds of hosts. */
export async function readHost(ctx: Context): Promise<HostDocument> {
  switch (await readHostKind(ctx)) {
    case "ostree":
      return assembleHost(await readSysroot(ctx));
    case "composefs":
      ctx.note("note: this host boots from composefs, which this version does not support");
      return DEFAULT_HOST;
    case "container":
    case "other":
      return DEFAULT_HOST;
  }
}
