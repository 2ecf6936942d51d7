import Testing

@testable import Distribution

@Suite struct LaunchTests {
  @Test func withoutALauncherNothingIsOpened() throws {
    #expect(Launch(environment: [:]) == nil)
    // Neither a wrong path nor a size of one makes a world of it.
    for variables in [
      ["BARON_MPI": "/nowhere/libmpi.so"],
      ["OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"],
      ["PMI_SIZE": "x", "PMI_RANK": "0"], ["PMI_SIZE": "4"], ["PMI_SIZE": "4", "PMI_RANK": "4"],
      // A batch script of Slurm, which is no step.
      ["SLURM_NTASKS": "8", "SLURM_PROCID": "0"],
    ] {
      #expect(try Launch.world(environment: variables) is Alone)
    }
  }

  @Test func eachLauncherHasItsLibraries() throws {
    let open = try #require(
      Launch(environment: [
        "OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "5",
        "OMPI_COMM_WORLD_LOCAL_RANK": "1", "OMPI_COMM_WORLD_LOCAL_SIZE": "4",
      ]))
    #expect(open.launcher == .openMPI)
    #expect([open.rank, open.size, open.nodeRank, open.nodeSize] == [5, 8, 1, 4])
    #expect(open.libraries == ["libmpi.so.40", "libmpi_abi.so.1"])
    let mpich = try #require(
      Launch(environment: [
        "PMI_SIZE": "2", "PMI_RANK": "1", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "2",
      ]))
    #expect(mpich.launcher == .mpich && mpich.nodeSize == 2)
    #expect(mpich.libraries == ["libmpi.so.12", "libmpich.so.12", "libmpi_abi.so.1"])
  }

  @Test func tasksOfSlurmAreRanks() throws {
    var slurm = ["SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3", "SLURM_LOCALID": "1"]
    let bare = try #require(Launch(environment: slurm))
    #expect(bare.launcher == .slurm && bare.lacksPMI)
    #expect([bare.rank, bare.size, bare.nodeRank] == [3, 4, 1] && bare.nodeSize == nil)
    #expect(bare.libraries.first == "libmpi.so.40")
    // srun --mpi=pmi2: numbers, and the descriptor of the wire.
    for marks in [["PMI_RANK": "3", "PMI_SIZE": "4"], ["PMI_FD": "7"]] {
      let pmi = try #require(Launch(environment: slurm.merging(marks) { $1 }))
      #expect(pmi.launcher == .slurm && !pmi.lacksPMI)
    }
    let pmi = Launch(environment: slurm.merging(["PMI_RANK": "3"]) { $1 })
    #expect(pmi?.libraries.first == "libmpi.so.12")
    // srun --mpi=pmix, which sets variables of PMI beside its own.
    let pmix = Launch(environment: slurm.merging(["PMI_RANK": "3", "PMIX_RANK": "3"]) { $1 })
    #expect(pmix?.libraries.first == "libmpi.so.40" && pmix?.lacksPMI == false)
    // mpirun within an allocation starts the processes, not srun.
    let mpirun = Launch(
      environment: slurm.merging(["OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "1"]) { $1 })
    #expect(mpirun?.launcher == .openMPI && mpirun?.size == 2)
    // One task is no world; neither is a shell within an allocation.
    #expect(Launch(environment: ["SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"]) == nil)
    slurm["BARON_MPI"] = "/opt/mpi/lib/libmpi.so"
    #expect(Launch(environment: slurm)?.libraries == ["/opt/mpi/lib/libmpi.so"])
  }

  @Test func tasksThatCannotFindEachOtherAreToldHow() throws {
    let slurm = ["SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3"]
    let error = #expect(throws: LaunchError.self) { try Launch.world(environment: slurm) }
    #expect(error == .noInterface(size: 4))
    #expect(error?.description.contains("srun --mpi=pmix") == true)
  }

  @Test func aLibraryThatIsNotThereIsNamed() throws {
    let variables = [
      "PMI_SIZE": "2", "PMI_RANK": "1", "BARON_MPI": "/nowhere/libmpi.so.12",
    ]
    let error = #expect(throws: LaunchError.self) { try Launch.world(environment: variables) }
    let text = try #require(error?.description)
    #expect(text.hasPrefix("mpirun of MPICH started 2 processes, but no MPI library of it"))
    #expect(text.contains("/nowhere/libmpi.so.12") && text.contains("set BARON_MPI"))
    #expect(!text.contains("\n"))
  }

  @Test func fewCoresAreGivenAway() throws {
    func launch(_ local: Int) throws -> Launch {
      try #require(
        Launch(environment: [
          "OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "0",
          "OMPI_COMM_WORLD_LOCAL_SIZE": "\(local)",
        ]))
    }
    // Bound to one core; bound to twelve; eight on all 16; two on all 16.
    #expect(try launch(2).yields(cores: 1, of: 16))
    #expect(try !launch(8).yields(cores: 12, of: 96))
    #expect(try launch(8).yields(cores: 16, of: 16))
    #expect(try !launch(2).yields(cores: 16, of: 16))
  }

  @Test func marksOfLaunchersAreKnown() {
    let names = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_FD", "BARON_MPI", "PATH"]
    #expect(names.filter(Launch.isMark) == ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_FD"])
  }
}
