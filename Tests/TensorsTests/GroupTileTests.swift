import OpenCL
import Testing

@testable import Tensors

@Suite("Tiles of work-groups")
struct GroupTileTests {
  private func device(
    _ family: DeviceFamily = .amd, units: Int = 60, group: Int = 1024, local: Int = 64 << 10
  ) -> GroupDevice {
    GroupDevice(
      family: family, units: units, largestWorkGroup: group, localMemoryInBytes: local)
  }

  @Test("Every tile is legal, and a device gets one that it can run")
  func legal() {
    for tile in GroupTile.all {
      #expect(tile.isLegal, "\(tile)")
      #expect(GroupTile(tile.parameters) == tile)
    }
    let sizes = [1, 16, 65, 300, 4096, 100_000]
    for group in [16, 64, 128, 256, 1024] {
      for local in [16 << 10, 32 << 10, 64 << 10] {
        for family in [DeviceFamily.amd, .intel, .generic, .nvidia] {
          let device = device(family, group: group, local: local)
          for rows in sizes {
            for columns in sizes {
              for patches in [false, true] {
                let tile = device.best(
                  rows: rows, columns: columns, depth: 256, batch: 1, patches: patches)
                #expect(
                  tile.fits(device, patches: patches), "\(tile) with \(group), \(local), \(family)")
              }
            }
          }
        }
      }
    }
  }

  @Test("Large products get large tiles, small ones are spread over the units")
  func sizes() {
    func size(_ device: GroupDevice, _ rows: Int, _ columns: Int, batch: Int = 1) -> [Int] {
      let tile = device.best(
        rows: rows, columns: columns, depth: 512, batch: batch, patches: false)
      return [tile.rows, tile.columns]
    }
    #expect(size(device(), 16_800, 2304) == [128, 128])
    #expect(size(device(), 54_400, 64) == [128, 64])
    #expect(size(device(), 64, 54_400) == [64, 128])
    #expect(size(device(), 512, 1024) != [128, 128])
    #expect(size(device(), 20, 20, batch: 384) == [32, 32])
    // 512 execution units are 64 units; 64 sums do not stay in registers there.
    #expect(device(.intel, units: 512).units == 64)
    #expect(size(device(.intel, units: 512), 16_800, 2304) != [128, 128])
    // What is no multiple of a step of all work-items.
    for wrong in [
      GroupTile(rows: 48, columns: 48, itemRows: 4, itemColumns: 4),
      GroupTile(rows: 64, columns: 64, itemRows: 2, itemColumns: 4),
      GroupTile(rows: 64, columns: 64, itemRows: 16, itemColumns: 4),
    ] { #expect(!wrong.isLegal, "\(wrong)") }
  }
}
