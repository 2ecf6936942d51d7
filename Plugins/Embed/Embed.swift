import Foundation
import PackagePlugin

/// Writes Swift that embeds what a target needs of the checkout, by the script of its name.
@main
struct Embed: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: Target) throws -> [Command] {
    let root = context.package.directoryURL
    let folder = context.pluginWorkDirectoryURL.appending(path: "embedded")
    return [
      .prebuildCommand(
        displayName: "Embedding for \(target.name)", executable: URL(filePath: "/bin/sh"),
        arguments: [
          root.appending(path: "Plugins/Embed/\(target.name).sh").path, root.path, folder.path,
        ], outputFilesDirectory: folder)
    ]
  }
}
