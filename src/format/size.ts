// Sizes for people: in powers of ten for what is pulled and stored, in powers of two for disks.

/** In powers of ten: `512 bytes`, `1.5 kB`, `943.2 MB`. */
export function formatDecimalSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} ${bytes === 1 ? "byte" : "bytes"}`;
  const units = ["kB", "MB", "GB", "TB", "PB"];
  let value = bytes / 1000;
  while (value >= 1000 && units.length > 1) {
    value /= 1000;
    units.shift();
  }
  return `${value.toFixed(1)} ${units[0]}`;
}

/** In powers of two, as partitions are given: `512.0 MiB`, `20.0 GiB`. */
export function formatBinarySize(bytes: number): string {
  if (bytes >= 1 << 30) return `${(bytes / (1 << 30)).toFixed(1)} GiB`;
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`;
}
