from asterisk_compliance.cli.main import main

main()
