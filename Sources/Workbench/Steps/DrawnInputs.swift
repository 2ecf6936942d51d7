import CLIP
import DemoWorld
import Foundation
import Layers
import OpenCL
import Tensors
import Training

/// Drawn pictures and a made-up teacher in the place of a configuration's data, so that its
/// training steps run where the data is not.
///
/// Pictures have the largest of the configured short sides and, up to 5 : 3, the long side: of a
/// published configuration 800 x 1333. Losses mean nothing.
package struct DrawnInputs {
  /// Where pictures and teacher are written.
  let folder: String
  let context: Context
  /// Blocks of a made-up teacher's towers at most; nil makes as many as the sizes say.
  let mostLayers: Int?
  /// Gets one line when a teacher is made up.
  let note: (String) -> Void

  package init(
    folder: String, context: Context, mostLayers: Int? = nil, note: @escaping (String) -> Void
  ) {
    self.folder = folder
    self.context = context
    self.mostLayers = mostLayers
    self.note = note
  }

  /// A detector's configuration that trains on drawn pictures.
  ///
  /// - Parameters:
  ///   - original: What is trained; paths do not matter but for `clip.folder`.
  ///   - teacher: The widths of a made-up teacher, used when `clip.folder` holds none.
  /// - Returns: The same with other inputs and a rate that changes next to nothing.
  func replace(
    in original: RunConfiguration, teacher: ContrastiveSizes
  ) throws -> RunConfiguration {
    var configuration = original
    let training = configuration.training
    let world = try drawWorld(
      images: max(training.detectionBatch, training.alignmentBatch, training.captionBatch, 4),
      regions: 0, pixels: configuration.data.shortSides.max() ?? 0,
      longSide: configuration.data.longSide)
    if !FileManager.default.fileExists(atPath: "\(configuration.clip.folder)/config.json") {
      note("clip.folder: no teacher there; taking a made-up one")
      configuration.clip.folder = try makeTeacher(teacher, for: configuration)
    }
    configuration.model.start = ""
    // Rows for classes that the drawn pictures do not have.
    configuration.clip.classEmbeddings = ""
    configuration.data.trainAnnotations = "\(world)/annotations/instances_base.json"
    configuration.data.trainImages = "\(world)/images"
    configuration.data.alignmentAnnotations = configuration.data.trainAnnotations
    configuration.data.alignmentImages = configuration.data.trainImages
    configuration.data.captionAnnotations = "\(world)/annotations/captions.json"
    configuration.data.captionImages = configuration.data.trainImages
    configuration.data.captionClasses = ""
    configuration.data.classSplit = "\(world)/annotations/classes.json"
    // From made-up weights a published rate may lead to numbers that are none.
    configuration.optimizer.rate = 1e-6
    return configuration
  }

  /// A CLIP model's configuration that trains on drawn pictures.
  ///
  /// - Parameter original: What is trained; paths do not matter.
  /// - Returns: The same with other inputs.
  func replace(in original: CLIPTrainingConfiguration) throws -> CLIPTrainingConfiguration {
    var configuration = original
    let world = try drawWorld(
      images: configuration.training.batch, regions: 4, pixels: configuration.model.imageSize)
    configuration.data.trainCaptions = "\(world)/annotations/region_captions.json"
    configuration.data.trainImages = "\(world)/images"
    configuration.data.validationAnnotations = ""
    return configuration
  }

  private func drawWorld(
    images: Int, regions: Int, pixels: Int, longSide: Int = 0
  ) throws -> String {
    let world = "\(folder)/world"
    let pixels = min(max(pixels, 96), 1024)
    try DemoWorld.write(
      to: world, images: images, seed: 0, pixels: pixels, width: min(longSide, pixels * 5 / 3),
      regionsPerImage: regions)
    return world
  }

  /// Writes a teacher with start values.
  private func makeTeacher(
    _ sizes: ContrastiveSizes, for configuration: RunConfiguration
  ) throws -> String {
    let path = "\(folder)/teacher"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    // Words in pieces would make the sentences longer than a text may be.
    let tokens = try Tokenizer.writeVocabulary(
      of: Glyph.allCases.flatMap {
        PromptTemplates.texts(for: $0.rawValue, templates: configuration.clip.templates)
      }, to: path)
    let model = try ContrastiveModel(
      ParameterStore(stream: try ComputeStream(context: context), seed: 0),
      configuration: sizes.configuration(vocabulary: tokens, mostLayers: mostLayers))
    try model.write(to: path)
    return path
  }
}
