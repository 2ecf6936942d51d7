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

  @Test(
    "mpirun of MPICH in an allocation, whose helpers are a step of srun",
    arguments: [
      // One machine, two of two each, two of one each; a step of one task; --mpi=pmix as the default.
      ("1", 2, 2, [:]), ("2", 4, 2, [:]), ("2", 2, 1, [:]),
      ("1", 4, 4, ["PMIX_RANK": "0", "SLURM_JOB_ID": "7"]),
    ] as [(String, Int, Int, [String: String])])
  func hydraWithinSlurm(tasks: String, size: Int, there: Int, more: [String: String]) throws {
    for rank in 0..<size {
      let variables = [
        "SLURM_STEP_NUM_TASKS": tasks, "SLURM_PROCID": "\(rank / there)", "SLURM_LOCALID": "0",
        "SLURM_STEP_TASKS_PER_NODE": "1", "PMI_SIZE": "\(size)", "PMI_RANK": "\(rank)",
        "PMI_FD": "6", "MPI_LOCALRANKID": "\(rank % there)", "MPI_LOCALNRANKS": "\(there)",
      ].merging(more) { $1 }
      let launch = try #require(Launch(environment: variables))
      #expect(launch.launcher == .mpich && !launch.lacksPMI && !launch.lacksPMIx)
      #expect([launch.rank, launch.size, launch.nodeRank] == [rank, size, rank % there])
      #expect(launch.nodeSize == there)
      #expect(launch.libraries == ["libmpi.so.12", "libmpich.so.12", "libmpi_abi.so.1"])
      #expect(launch.marks == ["SLURM_STEP_NUM_TASKS", "PMI_SIZE"])
      // Kin that does not tell of the machine is known by another number of processes.
      if tasks != "\(size)" {
        let bare = Launch(environment: variables.filter { !$0.key.hasPrefix("MPI_LOCAL") })
        #expect(bare?.launcher == .mpich && bare?.size == size && bare?.nodeSize == nil)
      }
    }
  }

  @Test(
    "tasks of a machine, as Slurm writes them",
    arguments: [
      ("2", nil, 2), ("8(x2),4", 0, 8), ("8(x2),4", 1, 8), ("8(x2),4", 2, 4), ("8(x2),4", 3, 8),
      ("8(x2),4", nil, 8), ("1,16", -1, 16), ("3(x16777216),5", 16_777_216, 5),
      ("", nil, nil), ("x", nil, nil), ("2,", nil, nil), ("0", nil, nil), ("-1", nil, nil),
      ("2(x0)", nil, nil), ("2(x", nil, nil), ("2(x99999999999999999999)", 1, nil),
      ("2(x9223372036854775807),3(x9223372036854775807)", nil, nil),
    ] as [(String, Int?, Int?)])
  func tasksOfAMachine(text: String, node: Int?, wanted: Int?) {
    #expect(Launch.tasks(text, node: node) == wanted)
    let launch = Launch(
      environment: [
        "SLURM_STEP_NUM_TASKS": "99", "SLURM_PROCID": "7", "SLURM_STEP_TASKS_PER_NODE": text,
        "SLURM_NODEID": node.map { "\($0)" } ?? "",
      ])
    #expect(launch?.nodeSize == wanted)
  }

  @Test func otherWaysOfSlurmAreLeftToTheLibrary() throws {
    let slurm = ["SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3"]
    // srun --mpi=cray_shasta
    let cray = try #require(Launch(environment: slurm.merging(["PALS_RANKID": "3"]) { $1 }))
    #expect(!cray.lacksPMI && cray.lacksPMIx && cray.libraries.first == "libmpi.so.12")
    let pmix = Launch(environment: slurm.merging(["PMIX_RANK": "3"]) { $1 })
    #expect(pmix?.lacksPMIx == false)
  }

  @Test func aLibraryOfAnotherLauncherIsNamedWithTheRemedy() {
    func text(_ launcher: Launch.Launcher) -> String {
      LaunchError.wrongPairing(
        launcher: launcher, size: 2, path: "libmpich.so.12", library: "MPICH Version: 4.0.2",
        seen: 1
      ).description
    }
    #expect(
      text(.slurm) == "srun started 2 processes, but libmpich.so.12 is MPICH Version: 4.0.2 and "
        + "sees 1: start with srun --mpi=pmix for Open MPI or --mpi=pmi2 for MPICH, or set BARON_MPI "
        + "to the library that belongs to this srun")
    #expect(
      text(.openMPI) == "mpirun of Open MPI started 2 processes, but libmpich.so.12 is MPICH "
        + "Version: 4.0.2 and sees 1: set BARON_MPI to the library that belongs to this launcher, or "
        + "start with that of the library")
  }

  @Test func eachLauncherHasItsOptionsForCores() {
    let job = ["SLURM_JOB_ID": "7"]
    func options(_ variables: [String: String]) -> String? {
      Launch(environment: variables)?.options(cores: 12, processes: 8)
    }
    let open = ["OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "0"]
    #expect(options(open) == "--bind-to none, or --map-by ppr:8:node:PE=12")
    #expect(
      options(open.merging(job) { $1 })
        == "--bind-to none, or --map-by ppr:8:node:PE=12, in a job with sbatch --cpus-per-task=12")
    #expect(
      options(["PMI_SIZE": "8", "PMI_RANK": "0"]) == "-bind-to none, or -bind-to core:12")
    let slurm = ["SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "0"]
    #expect(options(slurm.merging(job) { $1 }) == "srun --cpus-per-task=12")
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
    // Eight on four of 16 each: their cores cannot all be different ones.
    #expect(try launch(8).yields(cores: 4, of: 16))
  }

  @Test func tasksThatShareTheCoresOfAJobGiveThemAway() throws {
    func task(_ there: String, _ cores: String?) throws -> Launch {
      var variables = [
        "SLURM_STEP_NUM_TASKS": "32", "SLURM_PROCID": "20", "SLURM_STEP_TASKS_PER_NODE": there,
        "SLURM_NODEID": "1",
      ]
      variables["SLURM_CPUS_ON_NODE"] = cores
      return try #require(Launch(environment: variables))
    }
    // 16 on the 16 of the machine; 16 on 16 of its 96; bound to six of 96 each; eight on all 96.
    #expect(try task("16(x2)", nil).yields(cores: 16, of: 16))
    #expect(try task("16(x2)", "16").yields(cores: 16, of: 96))
    #expect(try !task("16(x2)", "96").yields(cores: 6, of: 96))
    #expect(try !task("24,8", "96").yields(cores: 96, of: 96))
    #expect(try task("24,8", "0").yields(cores: 96, of: 96))
  }

  @Test func marksOfLaunchersAreKnown() {
    let marks = ["OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_FD", "PALS_RANKID"]
    #expect((marks + ["BARON_MPI", "PATH"]).filter(Launch.isMark) == marks)
  }
}
