#include "CKernels.h"

// One array and one entry per file of Kernels/; a test compares this table with the folder.

static const unsigned char anchors_cl[] = {
#embed "../../Kernels/Anchors.cl" suffix(, 0)
};

static const unsigned char attention_cl[] = {
#embed "../../Kernels/Attention.cl" suffix(, 0)
};

static const unsigned char attentioncpu_cl[] = {
#embed "../../Kernels/AttentionCPU.cl" suffix(, 0)
};

static const unsigned char attentionnvidia_cl[] = {
#embed "../../Kernels/AttentionNVIDIA.cl" suffix(, 0)
};

static const unsigned char attentiontiles_clh[] = {
#embed "../../Kernels/AttentionTiles.clh" suffix(, 0)
};

static const unsigned char batchnorm_cl[] = {
#embed "../../Kernels/BatchNorm.cl" suffix(, 0)
};

static const unsigned char boxcoding_cl[] = {
#embed "../../Kernels/BoxCoding.cl" suffix(, 0)
};

static const unsigned char boxgeometry_clh[] = {
#embed "../../Kernels/BoxGeometry.clh" suffix(, 0)
};

static const unsigned char boxloss_cl[] = {
#embed "../../Kernels/BoxLoss.cl" suffix(, 0)
};

static const unsigned char boxmatching_cl[] = {
#embed "../../Kernels/BoxMatching.cl" suffix(, 0)
};

static const unsigned char boxsampling_cl[] = {
#embed "../../Kernels/BoxSampling.cl" suffix(, 0)
};

static const unsigned char common_channels_clh[] = {
#embed "../../Kernels/Common/Channels.clh" suffix(, 0)
};

static const unsigned char common_launch_clh[] = {
#embed "../../Kernels/Common/Launch.clh" suffix(, 0)
};

static const unsigned char common_storage_clh[] = {
#embed "../../Kernels/Common/Storage.clh" suffix(, 0)
};

static const unsigned char common_transpose_clh[] = {
#embed "../../Kernels/Common/Transpose.clh" suffix(, 0)
};

static const unsigned char common_types_clh[] = {
#embed "../../Kernels/Common/Types.clh" suffix(, 0)
};

static const unsigned char contrastiveloss_cl[] = {
#embed "../../Kernels/ContrastiveLoss.cl" suffix(, 0)
};

static const unsigned char convolution_cl[] = {
#embed "../../Kernels/Convolution.cl" suffix(, 0)
};

static const unsigned char convolutiongathercpu_cl[] = {
#embed "../../Kernels/ConvolutionGatherCPU.cl" suffix(, 0)
};

static const unsigned char crossentropy_cl[] = {
#embed "../../Kernels/CrossEntropy.cl" suffix(, 0)
};

static const unsigned char embedding_cl[] = {
#embed "../../Kernels/Embedding.cl" suffix(, 0)
};

static const unsigned char imageinput_cl[] = {
#embed "../../Kernels/ImageInput.cl" suffix(, 0)
};

static const unsigned char indexing_cl[] = {
#embed "../../Kernels/Indexing.cl" suffix(, 0)
};

static const unsigned char layernorm_cl[] = {
#embed "../../Kernels/LayerNorm.cl" suffix(, 0)
};

static const unsigned char matrixloaders_clh[] = {
#embed "../../Kernels/MatrixLoaders.clh" suffix(, 0)
};

static const unsigned char matrixproduct16bitnvidia_cl[] = {
#embed "../../Kernels/MatrixProduct16BitNVIDIA.cl" suffix(, 0)
};

static const unsigned char matrixproduct_cl[] = {
#embed "../../Kernels/MatrixProduct.cl" suffix(, 0)
};

static const unsigned char matrixproductcpu_cl[] = {
#embed "../../Kernels/MatrixProductCPU.cl" suffix(, 0)
};

static const unsigned char matrixproductnvidia_cl[] = {
#embed "../../Kernels/MatrixProductNVIDIA.cl" suffix(, 0)
};

static const unsigned char matrixreadahead_clh[] = {
#embed "../../Kernels/MatrixReadAhead.clh" suffix(, 0)
};

static const unsigned char matrixtiles_clh[] = {
#embed "../../Kernels/MatrixTiles.clh" suffix(, 0)
};

static const unsigned char nms_cl[] = {
#embed "../../Kernels/NMS.cl" suffix(, 0)
};

static const unsigned char optimizer_cl[] = {
#embed "../../Kernels/Optimizer.cl" suffix(, 0)
};

static const unsigned char pointwise_cl[] = {
#embed "../../Kernels/Pointwise.cl" suffix(, 0)
};

static const unsigned char pooling_cl[] = {
#embed "../../Kernels/Pooling.cl" suffix(, 0)
};

static const unsigned char positionalencoding_cl[] = {
#embed "../../Kernels/PositionalEncoding.cl" suffix(, 0)
};

static const unsigned char reduction_cl[] = {
#embed "../../Kernels/Reduction.cl" suffix(, 0)
};

static const unsigned char resize_cl[] = {
#embed "../../Kernels/Resize.cl" suffix(, 0)
};

static const unsigned char roialign_cl[] = {
#embed "../../Kernels/RoIAlign.cl" suffix(, 0)
};

static const unsigned char roialigncpu_cl[] = {
#embed "../../Kernels/RoIAlignCPU.cl" suffix(, 0)
};

static const unsigned char roialigngeometry_clh[] = {
#embed "../../Kernels/RoIAlignGeometry.clh" suffix(, 0)
};

static const unsigned char roof_cl[] = {
#embed "../../Kernels/Roof.cl" suffix(, 0)
};

static const unsigned char similarity_cl[] = {
#embed "../../Kernels/Similarity.cl" suffix(, 0)
};

static const unsigned char softmax_cl[] = {
#embed "../../Kernels/Softmax.cl" suffix(, 0)
};

static const unsigned char tensorcores_clh[] = {
#embed "../../Kernels/TensorCores.clh" suffix(, 0)
};

static const unsigned char topk_cl[] = {
#embed "../../Kernels/TopK.cl" suffix(, 0)
};

#define ENTRY(path, name) {path, name, sizeof(name) - 1}

static const CKernelFile files[] = {
    ENTRY("Anchors.cl", anchors_cl),
    ENTRY("Attention.cl", attention_cl),
    ENTRY("AttentionCPU.cl", attentioncpu_cl),
    ENTRY("AttentionNVIDIA.cl", attentionnvidia_cl),
    ENTRY("AttentionTiles.clh", attentiontiles_clh),
    ENTRY("BatchNorm.cl", batchnorm_cl),
    ENTRY("BoxCoding.cl", boxcoding_cl),
    ENTRY("BoxGeometry.clh", boxgeometry_clh),
    ENTRY("BoxLoss.cl", boxloss_cl),
    ENTRY("BoxMatching.cl", boxmatching_cl),
    ENTRY("BoxSampling.cl", boxsampling_cl),
    ENTRY("Common/Channels.clh", common_channels_clh),
    ENTRY("Common/Launch.clh", common_launch_clh),
    ENTRY("Common/Storage.clh", common_storage_clh),
    ENTRY("Common/Transpose.clh", common_transpose_clh),
    ENTRY("Common/Types.clh", common_types_clh),
    ENTRY("ContrastiveLoss.cl", contrastiveloss_cl),
    ENTRY("Convolution.cl", convolution_cl),
    ENTRY("ConvolutionGatherCPU.cl", convolutiongathercpu_cl),
    ENTRY("CrossEntropy.cl", crossentropy_cl),
    ENTRY("Embedding.cl", embedding_cl),
    ENTRY("ImageInput.cl", imageinput_cl),
    ENTRY("Indexing.cl", indexing_cl),
    ENTRY("LayerNorm.cl", layernorm_cl),
    ENTRY("MatrixLoaders.clh", matrixloaders_clh),
    ENTRY("MatrixProduct.cl", matrixproduct_cl),
    ENTRY("MatrixProduct16BitNVIDIA.cl", matrixproduct16bitnvidia_cl),
    ENTRY("MatrixProductCPU.cl", matrixproductcpu_cl),
    ENTRY("MatrixProductNVIDIA.cl", matrixproductnvidia_cl),
    ENTRY("MatrixReadAhead.clh", matrixreadahead_clh),
    ENTRY("MatrixTiles.clh", matrixtiles_clh),
    ENTRY("NMS.cl", nms_cl),
    ENTRY("Optimizer.cl", optimizer_cl),
    ENTRY("Pointwise.cl", pointwise_cl),
    ENTRY("Pooling.cl", pooling_cl),
    ENTRY("PositionalEncoding.cl", positionalencoding_cl),
    ENTRY("Reduction.cl", reduction_cl),
    ENTRY("Resize.cl", resize_cl),
    ENTRY("RoIAlign.cl", roialign_cl),
    ENTRY("RoIAlignCPU.cl", roialigncpu_cl),
    ENTRY("RoIAlignGeometry.clh", roialigngeometry_clh),
    ENTRY("Roof.cl", roof_cl),
    ENTRY("Similarity.cl", similarity_cl),
    ENTRY("Softmax.cl", softmax_cl),
    ENTRY("TensorCores.clh", tensorcores_clh),
    ENTRY("TopK.cl", topk_cl),
};

const CKernelFile *ckernels_files(size_t *count) {
  *count = sizeof(files) / sizeof(files[0]);
  return files;
}
