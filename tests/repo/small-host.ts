// A host that has booted the only deployment of a small image.
import { join } from "node:path";
import { deploy, storeImage } from "./deployed-images.ts";
import { trixieOstree } from "./ostree-versions.ts";
import { makeHost, type SimulatedHost } from "./simulated-boot.ts";

/** A host with one deployment of an image with these files. */
export function bootedWith(files: Readonly<Record<string, string>>): SimulatedHost {
  const host = makeHost(trixieOstree());
  deploy(host, storeImage(host, "os", { version: "1", files }), ["root=UUID=x"]);
  // The first command boots.
  host.shell("true");
  return host;
}

/** The directory of the booted deployment. */
export const bootedDir = (host: SimulatedHost) =>
  join(host.sysroot, "ostree/deploy/default/deploy", host.booted());
